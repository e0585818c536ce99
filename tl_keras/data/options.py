"""How a dataset is listed: what is taken, and where its labels come from.

    options = ListOptions(exclude=("*_mask.png",), label_from="leaf")
    options.leaves_out("cats/1_mask.png")        # True

In: the choices of a person, once. Out: one value that every lister takes, so
that a choice means the same in training, checking, predicting and evaluating.
"""

import dataclasses
import fnmatch
import os
import re

from tl_keras.data.targets import Targets
from tl_keras.errors import ConfigError

LABELS_FROM = ("auto", "first", "leaf", "path")
LEFT_OUT = "left out by --include or --exclude"


@dataclasses.dataclass(frozen=True)
class ListOptions:
    """What is taken of a dataset; see `tl_keras.data.list_dataset`.

    Attributes:
        label_from: one of `LABELS_FROM`: in a folder, the class is the
            "first" folder below the root, the last one ("leaf"), or all of
            them ("path"); "auto" is the first, where nothing else is likely.
        label_regex: the class is this pattern's first group in a file's
            name; "" for none.
        include, exclude: shell patterns. One without a slash is compared with
            the name of the file and of each folder on the way to it, one with
            a slash with the path from the dataset's root.
        follow_links: take folders that are links, and a table's paths that
            lead through one.
        allow_empty_class: leave out a class folder without pictures.
        allow_leakage: let two splits hold the same file.
        case_sensitive_classes: let the names of two classes differ in upper
            and lower case alone.
        skip_unlabelled: leave out a table's rows without a label.
        path_column, label_column: the columns of a table that hold paths and
            labels, by name, or by number where it has no header; "" to find
            them by their usual names.
        split_file: a table that says of each path which split it is in; "" for
            none.
        group_column: the column of a table that says what must stay together;
            "" for none.
        partial: the pictures are to be asked, not trained on, so that any part
            of the classes will do.
        download: whether a set that is not on the disk may be fetched.
        targets: what a table's rows say, where that is not one class; its
            column of labels is not read then.

    Raises:
        ConfigError: `label_regex` is no pattern with a group.
    """

    label_from: str = "auto"
    label_regex: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    follow_links: bool = False
    allow_empty_class: bool = False
    allow_leakage: bool = False
    case_sensitive_classes: bool = False
    skip_unlabelled: bool = False
    path_column: str = ""
    label_column: str = ""
    split_file: str = ""
    group_column: str = ""
    partial: bool = False
    download: bool = True
    targets: Targets | None = None

    def __post_init__(self):
        if self.label_regex:
            _pattern(self.label_regex)

    def label_in(self, name: str) -> str | None:
        """The class that `label_regex` finds in a file's name, if any."""
        found = _pattern(self.label_regex).search(name)
        return (found[1] or "").strip() or None if found else None

    def leaves_out(self, path: str) -> bool:
        """Whether a file, by its path from the root, is not to be taken."""
        if self.include and not any(_fits(path, p) for p in self.include):
            return True
        return self.closes(path)

    def closes(self, path: str) -> bool:
        """Whether a file or folder, and all below it, is excluded."""
        return any(_fits(path, pattern) for pattern in self.exclude)


AS_IT_IS = ListOptions()


def _fits(path: str, pattern: str) -> bool:
    if "/" in pattern:
        return fnmatch.fnmatchcase(path, pattern.strip("/"))
    parts = path.split(os.sep)
    return any(fnmatch.fnmatchcase(part, pattern) for part in parts)


def _pattern(text: str) -> re.Pattern:
    """The compiled pattern; `re` itself remembers the last ones."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ConfigError(
            f"label_regex={text}: {error} - expected a Python pattern, such "
            r"as '(.+)_\d+'"
        ) from None
    if not pattern.groups:
        raise ConfigError(
            f"label_regex={text}: expected a group that is the class, such as "
            r"'(.+)_\d+'"
        )
    return pattern
