"""Names of folders and words of tables -> train, val or test.

    split_named("Training_set")                  # "train"
    splits_among(["seg_train", "seg_test"])      # {"seg_train": "train", ...}

In: names as people write them, in any case, with digits and signs around them.
Out: the splits they speak of; none where a name says something else as well.
"""

import collections
import re
from collections.abc import Collection, Sequence

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn", "trainval", "tr"), "train"),
    **dict.fromkeys(
        ("val", "valid", "validation", "validate", "dev", "development"), "val"
    ),
    **dict.fromkeys(
        ("test", "testing", "tst", "eval", "evaluation", "holdout"), "test"
    ),
}
# Words that say nothing of what lies in a folder.
FILLERS = {
    "set", "sets", "data", "dataset", "datasets", "images", "image", "imgs",
    "img", "pictures", "photos", "split", "folder", "dir", "subset", "samples",
}  # fmt: skip


# As CelebA numbers them; and as CUB-200 says whether to train on a picture.
BY_NUMBER = {"0": "train", "1": "val", "2": "test"}
IS_TRAINING = {"1": "train", "0": "test"}


def coded_splits(words: Collection[str], name: str) -> dict[str, str]:
    """Numbers in the place of words -> splits, where one reading is possible.

    Args:
        words: all that stand in a column.
        name: the column's name, or that of a file without a header.

    Returns:
        0, 1, 2 as train, val, test; 1 and 0 alone as train and test where the
        name asks whether to train (`is_train`, `train_test_split`); {} else:
        1 may mean train or val there.
    """
    if "2" in words and set(words) <= set(BY_NUMBER):
        return BY_NUMBER
    said = set(words_of(name))
    asks = {"train", "test"} <= said or {"is", "train"} <= said
    asks |= {"is", "training"} <= said
    if asks and words and set(words) <= set(IS_TRAINING):
        return IS_TRAINING
    return {}


def split_named(word: str) -> str | None:
    """ "train", "val" or "test" for a word of a table or a folder."""
    found = split_and_rest(word)
    return found[0] if found and not found[1] else None


def words_of(name: str) -> list[str]:
    """The words of a name: trainA, seg_train2, TRAINING-SET."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W\d_]+", name.lower())


def split_and_rest(name: str) -> tuple[str, tuple[str, ...]] | None:
    """The split that a name speaks of, and its other words; None for none."""
    split, rest = None, []
    for word in words_of(name):
        for known in (word, re.sub("(set|sets|data|images|imgs)$", "", word)):
            if known in SPLIT_WORDS and split is None:
                split = SPLIT_WORDS[known]
                break
        else:
            if word not in FILLERS:
                rest.append(word)
    return (split, tuple(rest)) if split else None


def splits_among(names: Sequence[str]) -> dict[str, str]:
    """Folder's name -> split, of those that are named as splits.

    Another word in them counts only when all share it: `test_tube` beside
    `train_station` are two things.
    """
    found = {n: s for n in names if (s := split_and_rest(n))}
    if len({rest for _, rest in found.values()}) > 1:
        found = {n: s for n, s in found.items() if not s[1]}
    elif len(found) == 1 and next(iter(found.values()))[1]:
        return {}
    splits = {name: split for name, (split, _) in found.items()}
    counts = collections.Counter(splits.values())
    if counts["test"] > 1 and not counts["val"]:
        # Beside a test set, what is for evaluation is to validate on.
        for name in splits:
            if {"eval", "evaluation"} & set(words_of(name)):
                splits[name] = "val"
    return splits
