"""The settings about pictures, the backbone and its head. No TensorFlow.

In: values, as everywhere in `tl_keras.config`. Out: the part of a
`TransferConfig` that says what a network is, and what it is shown.
"""

import dataclasses

from tl_keras.config.settings import Settings, setting

PICTURE, TEXT = "Pictures", "Texts"
BACKBONE, HEAD = "Backbone", "Head"


@dataclasses.dataclass(frozen=True)
class NetworkConfig(Settings):
    """What a network sees, is made of and ends in."""

    image_size: int | None = setting(
        None,
        "side of the square the network sees; the backbone's usual size "
        "when not given",
        group=PICTURE,
        unit="pixels",
        low=1,
        high=8192,
    )
    resize: str = setting(
        "crop",
        "how a picture becomes a square: its centre, all of it squashed, or "
        "all of it with black bars",
        group=PICTURE,
        choices=("crop", "squash", "pad"),
    )
    alpha_background: tuple[int, ...] = setting(
        (255, 255, 255),
        "red, green and blue under what is transparent",
        group=PICTURE,
        low=0,
        high=255,
    )
    bit_depth_scale: str = setting(
        "auto",
        "how 16-bit PNG becomes 8 bits: by the bits that its greatest value "
        "needs, or by the high byte (none)",
        group=PICTURE,
        choices=("auto", "none"),
    )
    augment: str = setting(
        "none",
        "random changes to training pictures, rand by RandAugment (two of "
        "14 operations, magnitude 9); never where a flip changes the meaning, "
        "as in digits",
        group=PICTURE,
        choices=("none", "flip", "flip_crop", "flip_crop_color", "rand"),
    )
    augment_views: int | None = setting(
        None,
        "where --feature_cache keeps activations: so many augmented views of "
        "each training picture are kept, and each has its turn; 4 when "
        "--augment is given, of flip the 2 there are",
        group=PICTURE,
        unit="views",
        low=1,
        high=1000,
    )

    max_tokens: int = setting(
        128,
        "of a text, what the network sees; the rest is cut off, and how many "
        "texts that befalls is told",
        group=TEXT,
        unit="tokens",
        low=3,
        high=8192,
    )
    baseline: str = setting(
        "auto",
        "TF-IDF with logistic regression, which is always fitted beside the "
        "network: auto lets the exported head see its weights, and how near a "
        "text is to the classes' names, where cross-validation says so; show "
        "shows it alone; export publishes it in the network's place",
        group=TEXT,
        choices=("auto", "show", "export"),
    )

    backbone: str = setting(
        "VGG16",
        "a Keras application (--list_backbones), a network that comes with "
        "tl_keras (letters_vgg), or your own .keras file; for texts an encoder "
        "of BERT's family: a folder as Hugging Face lays it out, or "
        "hf:OWNER/NAME[@REVISION]",
        group=BACKBONE,
    )
    backbone_layer: str = setting(
        "",
        "the last layer that is taken of your own .keras file; what follows "
        "it, such as its classifier, is left out",
        group=BACKBONE,
    )
    backbone_args: str = setting(
        "",
        "arguments of the application's constructor, such as alpha=0.35",
        group=BACKBONE,
    )
    weights: str = setting(
        "auto",
        "imagenet, none (random), or a weights file; auto is imagenet for an "
        "application and the file's own for a .keras file",
        group=BACKBONE,
        path=True,
        words=("auto", "imagenet", "none"),
    )
    input_scaling: str = setting(
        "auto",
        "what a .keras backbone of yours wants of pixels 0 to 255: none, "
        "unit (0..1), tf (-1..1), torch or caffe; an application's is known",
        group=BACKBONE,
        choices=("auto", "none", "unit", "tf", "torch", "caffe"),
    )

    pooling: str = setting(
        "avg",
        "how the feature map becomes a vector",
        group=HEAD,
        choices=("avg", "max", "flatten"),
    )
    head_units: tuple[int, ...] = setting(
        (),
        "units of Dense ReLU layers before the classifier, such as 4096,4096",
        group=HEAD,
        unit="units",
        low=1,
        high=10**6,
    )
    dropout: float = setting(
        0.0,
        "share of units dropped after each layer of --head_units, or of the "
        "pooled features where there is none",
        group=HEAD,
        low=0,
        high=0.99,
    )
