"""The static table of networks and scalings; the text of arguments.

In: nothing, or "alpha=0.35,depth=2". Out: `BACKBONES`, a row a network, with
how its pixels are scaled and where its stages begin; arguments by name.
"""

import contextlib
import dataclasses

from tl_keras.errors import ConfigError


@dataclasses.dataclass(frozen=True, slots=True)
class Scaling:
    """Scaling of raw pixels x in 0..255, channels last, in float32.

    y = (x[..., ::-1] if reverse_channels else x) * scale + offset, so scale
    and offset are in the order of the output; reversed means BGR.
    """

    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    reverse_channels: bool = False


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCALINGS: dict[str, Scaling] = {
    "none": Scaling(),
    "unit": Scaling((1 / 255,) * 3),
    "tf": Scaling((1 / 127.5,) * 3, (-1.0,) * 3),
    "torch": Scaling(
        tuple(1 / (255 * std) for std in STD),
        tuple(-mean / std for mean, std in zip(MEAN, STD, strict=True)),
    ),
    "caffe": Scaling((1.0,) * 3, (-103.939, -116.779, -123.68), True),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Backbone:
    """What one network expects and where it can be unfrozen.

    Attributes:
        name: of its constructor in keras.applications.
        scaling: key of `SCALINGS`; "none" scales pixels 0..255 itself.
        least_size: least side of its input in pixels.
        usual_size: side in pixels it was designed and pretrained for.
        num_parameters: without the classifier, default arguments.
        stages: names, or their beginnings, of the first layers of stages, in
            graph order; fine-tuning usually unfreezes from the last.
    """

    name: str
    scaling: str
    least_size: int
    usual_size: int
    num_parameters: int
    stages: tuple[str, ...]


def _each(pattern: str, *numbers: int) -> tuple[str, ...]:
    return tuple(pattern.format(number) for number in numbers)


# A stage opens where the feature map halves, or in the middle of a long run of
# equal blocks, and one tensor alone leads into its first layer: not so in the
# NASNets, where each cell takes the outputs of the two before it.
# InceptionV3's branches have names that change from one build to the next:
# there a stage opens with the join, without weights, that makes this tensor.
_VGG = _each("block{}", 2, 3, 4, 5)
_RESNET = _each("conv{}_block1", 2, 3, 4, 5)
_EFFICIENT = _each("block{}a", 2, 3, 4, 5, 6)
_MOBILE = _each("conv_pad_{}", 2, 4, 6, 12)
_MOBILE_2 = _each("block_{}_expand", 1, 3, 6, 10, 13)
_MOBILE_3S = _each("expanded_conv_{}_expand", 1, 3, 6, 8)
_MOBILE_3L = _each("expanded_conv_{}_expand", 1, 3, 6, 10, 12)
_INCEPTION = _each("mixed{}", 0, 2, 4, 7)
_INCEPTION_RES = _each("block35_{}_ac", 5, 10) + _each("block17_{}_ac", 10, 20)
_XCEPTION = _each("block{}", 2, 3, 4, 9, 13)
_NAS_STEM = ("reduction_conv_1_stem_2",)
_NAS_L = _NAS_STEM + _each("reduction_conv_1_reduce_{}", 6, 12)
_NAS_M = _NAS_STEM + _each("reduction_conv_1_reduce_{}", 4, 8)


def _convnext(variant: str) -> tuple[str, ...]:
    return _each(f"convnext_{variant}_downsampling_layernorm_{{}}", 0, 1, 2)


# fmt: off
_TABLE = (  # name, scaling, least size, usual size, parameters, stages
    ("ConvNeXtBase",      "none",  32, 224,  87_566_464, _convnext("base")),
    ("ConvNeXtLarge",     "none",  32, 224, 196_230_336, _convnext("large")),
    ("ConvNeXtSmall",     "none",  32, 224,  49_454_688, _convnext("small")),
    ("ConvNeXtTiny",      "none",  32, 224,  27_820_128, _convnext("tiny")),
    ("ConvNeXtXLarge",    "none",  32, 224, 348_147_968, _convnext("xlarge")),
    ("DenseNet121",       "torch", 32, 224,   7_037_504, _RESNET),
    ("DenseNet169",       "torch", 32, 224,  12_642_880, _RESNET),
    ("DenseNet201",       "torch", 32, 224,  18_321_984, _RESNET),
    ("EfficientNetB0",    "none",  32, 224,   4_049_571, _EFFICIENT),
    ("EfficientNetB1",    "none",  32, 240,   6_575_239, _EFFICIENT),
    ("EfficientNetB2",    "none",  32, 260,   7_768_569, _EFFICIENT),
    ("EfficientNetB3",    "none",  32, 300,  10_783_535, _EFFICIENT),
    ("EfficientNetB4",    "none",  32, 380,  17_673_823, _EFFICIENT),
    ("EfficientNetB5",    "none",  32, 456,  28_513_527, _EFFICIENT),
    ("EfficientNetB6",    "none",  32, 528,  40_960_143, _EFFICIENT),
    ("EfficientNetB7",    "none",  32, 600,  64_097_687, _EFFICIENT),
    ("EfficientNetV2B0",  "none",  32, 224,   5_919_312, _EFFICIENT),
    ("EfficientNetV2B1",  "none",  32, 240,   6_931_124, _EFFICIENT),
    ("EfficientNetV2B2",  "none",  32, 260,   8_769_374, _EFFICIENT),
    ("EfficientNetV2B3",  "none",  32, 300,  12_930_622, _EFFICIENT),
    ("EfficientNetV2L",   "none",  32, 480, 117_746_848, _EFFICIENT),
    ("EfficientNetV2M",   "none",  32, 480,  53_150_388, _EFFICIENT),
    ("EfficientNetV2S",   "none",  32, 384,  20_331_360, _EFFICIENT),
    ("InceptionResNetV2", "tf",    75, 299,  54_336_736, _INCEPTION_RES),
    ("InceptionV3",       "tf",    75, 299,  21_802_784, _INCEPTION),
    ("MobileNet",         "tf",    32, 224,   3_228_864, _MOBILE),
    ("MobileNetV2",       "tf",    32, 224,   2_257_984, _MOBILE_2),
    ("MobileNetV3Large",  "none",  32, 224,   2_996_352, _MOBILE_3L),
    ("MobileNetV3Small",  "none",  32, 224,     939_120, _MOBILE_3S),
    ("NASNetLarge",       "tf",    32, 331,  84_916_818, _NAS_L),
    ("NASNetMobile",      "tf",    32, 224,   4_269_716, _NAS_M),
    ("ResNet101",         "caffe", 32, 224,  42_658_176, _RESNET),
    ("ResNet101V2",       "tf",    32, 224,  42_626_560, _RESNET),
    ("ResNet152",         "caffe", 32, 224,  58_370_944, _RESNET),
    ("ResNet152V2",       "tf",    32, 224,  58_331_648, _RESNET),
    ("ResNet50",          "caffe", 32, 224,  23_587_712, _RESNET),
    ("ResNet50V2",        "tf",    32, 224,  23_564_800, _RESNET),
    ("VGG16",             "caffe", 32, 224,  14_714_688, _VGG),
    ("VGG19",             "caffe", 32, 224,  20_024_384, _VGG),
    ("Xception",          "tf",    71, 299,  20_861_480, _XCEPTION),
)
# fmt: on
BACKBONES: dict[str, Backbone] = {row[0]: Backbone(*row) for row in _TABLE}


def describe_backbones() -> str:
    """The table of networks as plain text, for `--list_backbones`."""
    lines = [
        "Networks of keras.applications for --backbone.",
        "scaling: of pixels 0..255, done for you (none: the network scales).",
        "least, usual: side of the input in pixels, for --image_size.",
        "stages: for --unfreeze_from; the last is the usual one.",
        "parameters are without the classifier.",
        "",
        f"{'name':<18} {'scaling':<7} {'least':>5} {'usual':>5} "
        f"{'parameters':>11}  stages",
    ]
    lines += [
        f"{name:<18} {scaling:<7} {least:>5} {usual:>5} {parameters:>11,}  "
        f"{' '.join(stages)}"
        for name, scaling, least, usual, parameters, stages in _TABLE
    ]
    return "\n".join(lines)


def parse_arguments(text: str) -> dict[str, object]:
    """Reads constructor arguments from text.

    Args:
        text: "name=value,name=value"; a value is a whole number, a number,
            true, false, none, or else a string.

    Returns:
        Names and values; empty for an empty text.

    Raises:
        ConfigError: a piece without name or value, or a name given twice.

    Example:
        parse_arguments("alpha=0.35,minimalistic=true")
    """
    arguments: dict[str, object] = {}
    for piece in text.split(",") if text.strip() else ():
        name, equals, value = (part.strip() for part in piece.partition("="))
        if not (name.isidentifier() and equals and value):
            raise ConfigError(
                f"{piece.strip()!r}: expected name=value, pieces parted by "
                "commas - as in alpha=0.35,minimalistic=true"
            )
        if name in arguments:
            raise ConfigError(f"{name}: given twice - keep one")
        arguments[name] = _parse_value(value)
    return arguments


def _parse_value(text: str) -> object:
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
