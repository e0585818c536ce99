"""A dataset's name -> its listing, by whichever reader it needs.

    listing = list_dataset("flowers", exclude=("*_mask.png",))
    listing.splits, listing.class_names, listing.skipped

In: a folder, a table, `tfds:NAME` or `digits`. Out: a `Listing`. No picture is
decoded, and TensorFlow is not loaded but for `tfds:`.
"""

import unicodedata
from collections.abc import Sequence

from tl_keras.data.catalogues import list_digits, list_tfds
from tl_keras.data.examples import Listing
from tl_keras.data.folders import list_folder
from tl_keras.data.options import ListOptions
from tl_keras.data.rows import is_table
from tl_keras.data.tables import list_csv
from tl_keras.errors import DataError

# What turns the direction of text hides what a name says.
TURNING = {
    0x061C,
    0x200E,
    0x200F,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
}


def list_dataset(
    dataset: str,
    val_dataset: str = "",
    test_dataset: str = "",
    data_dir: str = "",
    **options,
) -> Listing:
    """Chooses the reader for a dataset's name; decodes no picture.

    Args:
        dataset, val_dataset, test_dataset, data_dir: see `load_images`.
        **options: fields of `tl_keras.data.ListOptions`.

    Returns:
        Its splits and classes, and what was skipped or ignored, with why.

    Raises:
        DataError: the dataset cannot be used as it is.
        ConfigError: an option cannot be.

    Example:
        listing = list_dataset("flowers", exclude=("*_mask.png",))
        listing.class_names, len(listing.splits["train"])
    """
    chosen = ListOptions(**options)
    tables = {"train": dataset, "val": val_dataset, "test": test_dataset}
    tables = {split: name for split, name in tables.items() if name}
    if dataset == "digits":
        listing = list_digits()
    elif dataset.startswith("tfds:"):
        listing = list_tfds(dataset, data_dir, download=chosen.download)
    elif is_table(dataset):
        listing = list_csv(tables, data_dir, chosen)
    else:
        listing = list_folder(dataset, val_dataset, test_dataset, chosen)
    check_class_names(listing.class_names, chosen.case_sensitive_classes)
    return listing


def check_class_names(
    class_names: Sequence[str], case_sensitive: bool = False
) -> None:
    """Raises DataError for names that labels.txt or a server cannot hold, or
    that a person, or another file system, could not tell apart."""
    faults, seen = [], {}
    for name in class_names:
        fault = _name_fault(name)
        if fault:
            faults.append(f"class {name!a}: {fault}")
        plain = _seen_as(name)
        if not case_sensitive:
            plain = plain.casefold()
        other = seen.setdefault(plain, name)
        if other == name:
            continue
        flag = ""
        if _seen_as(name) != _seen_as(other):
            flag = ", or give --case_sensitive_classes to keep both"
        faults.append(
            f"class {name!a}: differs from {other!a} in case or in how "
            f"accents and blanks are encoded alone - merge or rename them{flag}"
        )
    if faults:
        raise DataError(faults)


def _name_fault(name: str) -> str:
    """What a class may not be called, or ""."""
    for character in name:
        category = unicodedata.category(character)
        if category in ("Cc", "Cs", "Zl", "Zp"):
            return (
                "expected a name in UTF-8 without control characters - rename "
                "it"
            )
        if ord(character) in TURNING:
            return (
                f"{unicodedata.name(character)} (U+{ord(character):04X}) in it "
                "turns the direction of text - take it out"
            )
    return ""


def _seen_as(name: str) -> str:
    """A name as a person sees it: blanks alike, nothing invisible in it."""
    text = unicodedata.normalize("NFC", name)
    kept = (c for c in text if unicodedata.category(c) != "Cf")
    return " ".join("".join(kept).split())
