"""A listing -> three splits of pictures that can be read.

    images = load_images("flowers", image_size=224, seed=0)
    model.fit(images.train.shuffled(32), validation_data=images.val.batches(32))

In: a dataset's name, or a listing and how to cut it. Out: an `LabelledSplits`.
"""

import dataclasses
from collections.abc import Callable, Mapping

from tl_keras.data.cut import Cut
from tl_keras.data.examples import Examples, Listing
from tl_keras.data.limits import (
    faults_of_skips,
    names_of_skips,
    without_unreadable,
)
from tl_keras.data.listing import list_dataset
from tl_keras.data.split_record import counts_of
from tl_keras.data.splits import cut_splits
from tl_keras.errors import DataError
from tl_keras.inputs.image.pixels import MAX_PIXELS, WHITE, Decoding
from tl_keras.inputs.input import Input
from tl_keras.sources.pipeline import LabelledExamples
from tl_keras.summaries import Summarized, some_names


@dataclasses.dataclass(frozen=True, repr=False)
class LabelledSplits(Summarized):
    """The three splits of a dataset.

    Attributes:
        train, val, test: `val` may be empty.
        class_names: in the order of the labels.
        own_splits: those that the data brought; the others were cut.
        counts: what was found = used + skipped + ignored, with the reasons.
        fingerprint: SHA-256 of the listing (ids, labels, class names).
    """

    train: LabelledExamples
    val: LabelledExamples
    test: LabelledExamples
    class_names: tuple[str, ...]
    own_splits: tuple[str, ...]
    counts: Mapping
    fingerprint: str

    def examples(self) -> dict[str, Examples]:
        """Split name -> its examples."""
        return {
            "train": self.train.examples,
            "val": self.val.examples,
            "test": self.test.examples,
        }

    def summary(self) -> str:
        """How many are in each split, and the names of what is predicted."""
        counts = [f"{len(e):,} {s}" for s, e in self.examples().items()]
        return f"{', '.join(counts)}; {some_names(self.class_names)}"

    def hashed(self) -> "LabelledSplits":
        """The same pictures, each read once at most to be known by its hash.

        Raises:
            OSError: a file cannot be read.
        """
        splits = {"train": self.train, "val": self.val, "test": self.test}
        return dataclasses.replace(
            self,
            **{
                split: dataclasses.replace(
                    labelled, examples=labelled.examples.hashed()
                )
                for split, labelled in splits.items()
            },
        )

    def decoded_by(
        self,
        decoding: Input,
        made: Callable[..., LabelledExamples] = LabelledExamples,
    ) -> "LabelledSplits":
        """The same examples, decoded in another way.

        Args:
            decoding: how an example's bytes become the model's inputs.
            made: (examples, decoding) -> what a split's batches come from.
        """
        return dataclasses.replace(
            self,
            **{s: made(e, decoding) for s, e in self.examples().items()},
        )


def load_images(
    dataset: str,
    *,
    image_size: int,
    resize: str = "crop",
    alpha_background: tuple[int, int, int] = WHITE,
    bit_depth_scale: str = "auto",
    max_pixels: int = MAX_PIXELS,
    val_dataset: str = "",
    test_dataset: str = "",
    data_dir: str = "",
    val_fraction: float = 0.15,
    test_fraction: float = 0.15,
    train_examples_per_class: int | None = None,
    val_examples_per_class: int | None = None,
    seed: int = 0,
    max_bad_fraction: float = 0.01,
    **options,
) -> LabelledSplits:
    """Lists a dataset and gives it three splits; no picture is decoded yet.

    Args:
        dataset: a folder of class folders, or of train/ val/ test/ with class
            folders; a table, such as a .csv with path,label[,split];
            `tfds:NAME[/config][:version]`; or `digits`.
        image_size: side of the square pictures, in pixels.
        resize: "crop", "squash" or "pad".
        alpha_background: RGB, 0 to 255, under what is transparent.
        bit_depth_scale: "auto" or "none", for 16-bit PNG.
        max_pixels: width x height above which a picture is refused; these
            four as in `tl_keras.inputs.image.pixels.Decoding`.
        val_dataset, test_dataset: folders, or tables where `dataset` is
            one, that replace those splits.
        data_dir: where a table's paths start; the folder of prepared TFDS sets.
        val_fraction, test_fraction: share of each class, 0 to 0.9, for a split
            that the data does not bring.
        train_examples_per_class: train on this many of each class; None on all
            that the other splits leave.
        val_examples_per_class: this many of each class to validate on; None
            takes `val_fraction`.
        seed: of the cut; these five as in `tl_keras.data.Cut`.
        max_bad_fraction: the share of pictures that may be unusable, seen
            from their names and kinds; `tl_keras.audit` looks inside.
        **options: what is taken, and where labels come from; fields of
            `tl_keras.data.ListOptions`, such as `label_from` and `exclude`.

    Returns:
        `LabelledSplits`.

    Raises:
        DataError: the dataset cannot be used as it is (exit code 3).
        MachineError: a TFDS set must be downloaded and there is no network.

    Example:
        images = load_images("flowers", image_size=224, seed=0)
        model.fit(
            images.train.shuffled(32), validation_data=images.val.batches(32)
        )
    """
    listing = without_unreadable(
        list_dataset(dataset, val_dataset, test_dataset, data_dir, **options)
    )
    faults = faults_of_skips(listing, max_bad_fraction)
    if faults:
        raise DataError([*names_of_skips(listing), *faults])
    return split_examples(
        listing,
        Cut(
            val_fraction=val_fraction,
            test_fraction=test_fraction,
            train_per_class=train_examples_per_class,
            val_per_class=val_examples_per_class,
            seed=seed,
        ),
        Decoding(
            image_size, resize, alpha_background, bit_depth_scale, max_pixels
        ),
    )


def split_examples(
    listing: Listing, cut: Cut, decoding: Input | None
) -> LabelledSplits:
    """Gives a listing its three splits; see `load_images`.

    Args:
        listing: from `list_dataset`.
        cut: how missing splits are made.
        decoding: how an example's bytes become the model's inputs; None where
            `LabelledSplits.decoded_by` will say it.

    Returns:
        `train`, `val` and `test`; `val` may be empty.

    Raises:
        DataError: it cannot be cut so.
    """
    splits, left_out = cut_splits(listing, cut)
    return LabelledSplits(
        **{s: LabelledExamples(splits[s], decoding) for s in splits},
        class_names=listing.class_names,
        own_splits=tuple(s for s in listing.splits if s != "train"),
        counts=counts_of(listing, splits, left_out),
        fingerprint=listing.fingerprint(),
    )
