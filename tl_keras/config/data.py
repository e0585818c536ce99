"""The settings about data, shared by training and the data check.

    class CheckConfig(DataConfig): ...

In: nothing. Out: `DataConfig`, a base that commands build on, so that
`--max_pixels` means the same wherever it is given. No TensorFlow.
"""

import dataclasses

from tl_keras.config.settings import Settings, setting
from tl_keras.config.shared_settings import (
    exclude_in,
    follow_links_in,
    include_in,
    io_timeout_in,
    path_column_in,
    text_column_in,
    text_encoding_in,
)

DATA, CHECK = "Data", "Data check"


@dataclasses.dataclass(frozen=True)
class ListingConfig(Settings):
    """What is listed, the same for training, checking and evaluating."""

    dataset: str = setting(
        "",
        "a folder of class folders (or of train/ val/ test/ with class "
        "folders), a table (.csv, .tsv, .txt, .jsonl, .parquet) of paths and "
        "labels, tfds:NAME[/config][:version], or digits; of texts, a table "
        "(.csv, .tsv, .jsonl) of texts and labels, or class folders of .txt",
        group=DATA,
        path=True,
        words=("digits",),
    )
    data_dir: str = setting(
        "",
        "the folder that a table's paths start from (its own folder when not "
        "given), or the folder of prepared TFDS sets",
        group=DATA,
        path=True,
    )
    label_from: str = setting(
        "auto",
        "in a folder, the class of a picture: the first folder below the "
        "root, the last one (leaf), or the path of all of them; auto is the "
        "first, and stops where another reading is as likely",
        group=DATA,
        choices=("auto", "first", "leaf", "path"),
    )
    label_regex: str = setting(
        "",
        "the class of a picture is the first group of this Python pattern in "
        "its file's name, such as (.+)_[0-9]+; folders say nothing then",
        group=DATA,
    )
    path_column: str = path_column_in(DATA)
    label_column: str = setting(
        "",
        "the column of a table that has the labels, by its name, or by its "
        "number where there is no header; found by the usual names (label, "
        "class, target, category, breed, ...) when not given",
        group=DATA,
    )
    text_column: str = text_column_in(DATA)
    text_encoding: str = text_encoding_in(DATA)
    include: str = include_in(DATA)
    exclude: str = exclude_in(DATA)
    follow_links: bool = follow_links_in(DATA)
    target: str = setting(
        "",
        "the columns of a table that say what is true (commas between "
        "several): one of labels or numbers, several of numbers or of 0 and 1; "
        "label, or all columns of 0 and 1, when not given",
        group=DATA,
    )
    label_separator: str = setting(
        "",
        "what stands between several labels in a cell of a table, such as | ; "
        "comma, space or tab; found where a single mark can be meant, when not "
        "given",
        group=DATA,
    )
    skip_unlabelled: bool = setting(
        False,
        "leave out rows of a table that have no label, and count them",
        group=DATA,
    )
    reject_class: str = setting(
        "",
        "the class of examples that are of none: nothing learns them, and "
        "they measure how many of their kind --reject refuses",
        group=DATA,
    )
    case_sensitive_classes: bool = setting(
        False,
        "let two classes differ in upper and lower case alone, as A and a",
        group=DATA,
    )


@dataclasses.dataclass(frozen=True)
class DataConfig(ListingConfig):
    """Where examples come from, how they are split, what is asked of them."""

    input_kind: str = setting(
        "auto",
        "what an example is; auto is decided by --backbone, in a check by "
        "what --dataset holds, and stops where that can be read in two ways",
        group=DATA,
        choices=("auto", "image", "text"),
    )
    task: str = setting(
        "auto",
        "what is predicted: one class of several, any number of labels, or "
        "numbers; auto is decided by a table and told with the reason, and "
        "stops where it can be read in two ways; all else has classes",
        group=DATA,
        choices=("auto", "multiclass", "multilabel", "regression"),
    )
    val_dataset: str = setting(
        "",
        "a folder of class folders to validate on, or a table where "
        "--dataset is one",
        group=DATA,
        path=True,
    )
    test_dataset: str = setting(
        "",
        "a folder of class folders to test on, or a table where --dataset "
        "is one",
        group=DATA,
        path=True,
    )
    split_file: str = setting(
        "",
        "a table of paths and of train, val or test, which says the split of "
        "each row of --dataset",
        group=DATA,
        path=True,
    )
    group_column: str = setting(
        "",
        "the column of a table that says what belongs together (a patient, a "
        "speaker, a camera): all of it stays on one side of every cut",
        group=DATA,
    )
    val_fraction: float = setting(
        0.15,
        "share of each class cut off to validate on, when the dataset has no "
        "such split; 0 for no validation",
        group=DATA,
        low=0,
        high=0.9,
    )
    test_fraction: float = setting(
        0.15,
        "share of each class cut off to test on, when the dataset has no "
        "such split",
        group=DATA,
        low=0.01,
        high=0.9,
    )
    train_examples_per_class: int | None = setting(
        None,
        "train on this many of each class (few-shot); where the test split "
        "is cut, all the rest becomes test",
        group=DATA,
        unit="pictures",
        low=1,
        high=10**9,
    )
    val_examples_per_class: int | None = setting(
        None,
        "cut this many of each class to validate on, instead of a share",
        group=DATA,
        unit="pictures",
        low=1,
        high=10**9,
    )

    io_timeout: float = io_timeout_in(DATA)

    check: str = setting(
        "full",
        "what is read of each picture before training: all of it with the "
        "decoder of training, its header and bytes (fast), or nothing (off); "
        "unchanged files are not read twice",
        group=CHECK,
        choices=("full", "fast", "off"),
    )
    bad_input: str = setting(
        "skip",
        "a picture that cannot be used is left out and counted, or fails the "
        "run",
        group=CHECK,
        choices=("skip", "fail"),
    )
    max_bad_fraction: float = setting(
        0.01,
        "share of pictures that may be left out; more fail the run",
        group=CHECK,
        low=0,
        high=1,
    )
    max_pixels: int = setting(
        100_000_000,
        "width times height (of all frames) above which a picture is left "
        "out, seen from its header",
        group=CHECK,
        unit="pixels",
        low=1,
        high=10**9,
    )
    min_side: int = setting(
        8,
        "shorter side below which a picture is left out",
        group=CHECK,
        unit="pixels",
        low=1,
        high=10**5,
    )
    max_aspect: float = setting(
        20.0,
        "longer side over shorter side above which a picture is left out",
        group=CHECK,
        low=1,
        high=10**6,
    )
    near_duplicates: bool = setting(
        True,
        "look for pictures that are there re-encoded, resized or mirrored, "
        "and warn of them",
        group=CHECK,
    )
    allow_leakage: bool = setting(
        False,
        "let the same file or the same bytes be in two splits that the dataset "
        "brings; how many, and the accuracy without them, is told",
        group=CHECK,
    )
    allow_empty_class: bool = setting(
        False,
        "leave out a class folder without pictures",
        group=CHECK,
    )
    data_manifest: str = setting(
        "",
        "a list as sha256sum writes it, its paths relative to the dataset; a "
        "picture whose bytes differ is left out",
        group=CHECK,
        path=True,
    )
