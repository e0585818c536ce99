"""A dataset's name -> train, val and test pictures, and its class names.

    images = load_images("flowers", image_size=224, seed=0)
    model.fit(images.train.shuffled(32), validation_data=images.val.batches(32))

In: a folder, a .csv, `tfds:NAME` or `digits`. Out: an `ImageSplits`. Listing
(`folders`, `tables`, `catalogues`), cutting (`splits`) and reading
(`pipeline`) know nothing of each other.
"""

import dataclasses
import unicodedata
from collections.abc import Mapping, Sequence

from tl_keras.data.batches import (
    FixedBatches,
    PixelMemory,
    TrainingBatches,
    Views,
)
from tl_keras.data.catalogues import list_digits, list_tfds
from tl_keras.data.examples import Examples, Listing, Skip, joined
from tl_keras.data.folders import list_folder
from tl_keras.data.limits import faults_of_skips, names_of_skips
from tl_keras.data.pipeline import Images
from tl_keras.data.splits import (
    Cut,
    books,
    cut_splits,
    split_changes,
    write_split,
)
from tl_keras.data.tables import list_csv
from tl_keras.data.unlabelled import Found, Unlabelled
from tl_keras.data.walking import SAME_FILE
from tl_keras.errors import DataError
from tl_keras.pixels import MAX_PIXELS, WHITE, Decoding

__all__ = [
    "SAME_FILE",
    "Cut",
    "Examples",
    "FixedBatches",
    "Found",
    "ImageSplits",
    "Images",
    "Listing",
    "PixelMemory",
    "Skip",
    "TrainingBatches",
    "Unlabelled",
    "Views",
    "faults_of_skips",
    "joined",
    "list_dataset",
    "load_images",
    "names_of_skips",
    "split_changes",
    "split_images",
    "write_split",
]


@dataclasses.dataclass(frozen=True)
class ImageSplits:
    """The three splits of a dataset.

    Attributes:
        train, val, test: `val` may be empty.
        class_names: in the order of the labels.
        own_splits: those that the data brought; the others were cut.
        books: what was found = used + skipped + ignored, with the reasons.
        fingerprint: SHA-256 of the listing (ids, labels, class names).
    """

    train: Images
    val: Images
    test: Images
    class_names: tuple[str, ...]
    own_splits: tuple[str, ...]
    books: Mapping
    fingerprint: str

    def examples(self) -> dict[str, Examples]:
        """Split name -> its examples."""
        return {
            "train": self.train.examples,
            "val": self.val.examples,
            "test": self.test.examples,
        }


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
    label_from: str = "first",
    follow_links: bool = False,
    allow_empty_class: bool = False,
    allow_leakage: bool = False,
    max_bad_fraction: float = 0.01,
) -> ImageSplits:
    """Lists a dataset and gives it three splits; no picture is read yet.

    Args:
        dataset: a folder of class folders, or of train/ val/ test/ with class
            folders; a .csv (path,label[,split]);
            `tfds:NAME[/config][:version]`; or `digits`.
        image_size: side of the square pictures, in pixels.
        resize: "crop", "squash" or "pad".
        alpha_background: RGB, 0 to 255, under what is transparent.
        bit_depth_scale: "auto" or "none", for 16-bit PNG.
        max_pixels: width x height above which a picture is refused; these
            four as in `tl_keras.pixels.Decoding`.
        val_dataset, test_dataset: folders that replace those splits.
        data_dir: where a .csv's paths start; the folder of prepared TFDS sets.
        val_fraction, test_fraction, train_examples_per_class,
            val_examples_per_class, seed: how missing splits are cut
            (`tl_keras.data.Cut`).
        label_from, follow_links, allow_empty_class, allow_leakage: how folders
            are read (`list_dataset`).
        max_bad_fraction: the share of pictures that may be unusable, seen
            from their names and kinds; `tl_keras.audit` looks inside.

    Returns:
        `ImageSplits`.

    Raises:
        DataError: the dataset cannot be used as it is (exit code 3).
        MachineError: a TFDS set must be downloaded and there is no network.
    """
    listing = list_dataset(
        dataset,
        val_dataset,
        test_dataset,
        data_dir,
        label_from=label_from,
        follow_links=follow_links,
        allow_empty_class=allow_empty_class,
        allow_leakage=allow_leakage,
    )
    faults = faults_of_skips(listing, max_bad_fraction)
    if faults:
        raise DataError([*names_of_skips(listing), *faults])
    return split_images(
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


def split_images(listing: Listing, cut: Cut, decoding: Decoding) -> ImageSplits:
    """Gives a listing its three splits; see `load_images`."""
    splits, left_out = cut_splits(listing, cut)
    return ImageSplits(
        **{s: Images(splits[s], decoding) for s in splits},
        class_names=listing.class_names,
        own_splits=tuple(s for s in listing.splits if s != "train"),
        books=books(listing, splits, left_out),
        fingerprint=listing.fingerprint(),
    )


def check_class_names(class_names: Sequence[str]) -> None:
    """Raises DataError for names that labels.txt or a server cannot hold, or
    that a person, or another file system, could not tell apart."""
    faults, seen = [], {}
    for name in class_names:
        if not name.isprintable():  # Bytes that are no UTF-8 are not, either.
            faults.append(
                f"class {name!a}: expected a name in UTF-8 without control "
                "characters - rename it"
            )
        plain = unicodedata.normalize("NFC", name).casefold()
        other = seen.setdefault(plain, name)
        if other != name:
            faults.append(
                f"class {name!a}: differs from {other!a} in case or in how "
                "accents are encoded alone - merge or rename them"
            )
    if faults:
        raise DataError(faults)


def list_dataset(
    dataset: str,
    val_dataset: str = "",
    test_dataset: str = "",
    data_dir: str = "",
    *,
    label_from: str = "first",
    follow_links: bool = False,
    allow_empty_class: bool = False,
    allow_leakage: bool = False,
) -> Listing:
    """Chooses the reader for a dataset's name; reads no picture.

    Args:
        dataset, val_dataset, test_dataset, data_dir: see `load_images`.
        label_from: in a folder, the class is the "first" folder below the
            root, the last one ("leaf"), or all of them ("path").
        follow_links: take folders that are links, and a .csv's paths that
            lead through one.
        allow_empty_class: leave out a class folder without pictures.
        allow_leakage: let two splits hold the same file.

    Raises:
        DataError: the dataset cannot be used as it is.
    """
    if dataset == "digits":
        listing = list_digits()
    elif dataset.startswith("tfds:"):
        listing = list_tfds(dataset, data_dir)
    elif dataset.endswith(".csv"):
        listing = list_csv(dataset, data_dir, follow_links=follow_links)
    else:
        listing = list_folder(
            dataset,
            val_dataset,
            test_dataset,
            label_from=label_from,
            follow_links=follow_links,
            allow_empty_class=allow_empty_class,
            allow_leakage=allow_leakage,
        )
    check_class_names(listing.class_names)
    return listing
