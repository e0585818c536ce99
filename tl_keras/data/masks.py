"""Files whose names pair up as a picture and its mask.

    mask_warnings(["a/1.png", "a/1_mask.png", ...])

In: paths. Out: a line that says how many and how to leave them out, or none.
Masks lie beside their pictures in many medical sets; trained on, they are
half of a class and look like nothing else.
"""

import collections
import os
import re
from collections.abc import Sequence

_WORDS = (
    "masks|masked|mask|gt|groundtruth|segmentation|segmented|seg|annotation|"
    "annotated|labels|label|lbl|matte|trimap|contour|overlay|heatmap|bbox"
)
# Behind a picture's stem; a mask may be one of several. Or before it.
BEHIND = re.compile(
    rf"(?P<stem>.+?)(?P<mark>[ ._-]?(?:{_WORDS}))[ ._-]?\(?\d*\)?",
    re.IGNORECASE,
)
BEFORE = re.compile(rf"(?P<mark>(?:{_WORDS})[ ._-])(?P<stem>.+)", re.IGNORECASE)
ANY = re.compile(_WORDS, re.IGNORECASE)
MIN_SHARE = 0.05  # of all pictures: one or two may be so named by chance


def mask_warnings(files: Sequence[str]) -> list[str]:
    """A warning for each way in which masks are named.

    Args:
        files: paths of the pictures of a split.
    """
    stems = collections.Counter(os.path.splitext(file)[0] for file in files)
    found: dict[str, list[str]] = collections.defaultdict(list)
    for file in files:
        folder, name = os.path.split(file)
        if not ANY.search(name):  # Nearly all of a hundred thousand.
            continue
        stem = os.path.splitext(name)[0]
        for pattern, form in ((BEHIND, "*{}*"), (BEFORE, "{}*")):
            match = pattern.fullmatch(stem)
            if match and os.path.join(folder, match["stem"]) in stems:
                found[form.format(match["mark"])].append(name)
                break
    warnings = [
        f"{len(names):,} of {len(files):,} pictures are named as the masks of "
        f"others, such as {names[0]} - leave them out: --exclude={pattern}"
        for pattern, names in sorted(found.items())
        if len(names) > MIN_SHARE * len(files)
    ]
    return warnings + _one_name_twice(files, stems)


def _one_name_twice(
    files: Sequence[str], stems: collections.Counter
) -> list[str]:
    """1.jpg beside 1.png: a mask, or a copy."""
    if len(stems) == len(files):
        return []
    twice = [file for file in files if stems[os.path.splitext(file)[0]] > 1]
    if len(twice) <= 2 * MIN_SHARE * len(files):
        return []
    suffixes = collections.Counter(os.path.splitext(f)[1] for f in twice)
    name = os.path.splitext(os.path.basename(twice[0]))[0]
    last = sorted(suffixes)[-1]
    return [
        f"{len(twice):,} of {len(files):,} pictures share their name with "
        f"another but for its end ({', '.join(sorted(suffixes))}), such as "
        f"{name} - where one of two is a mask or a copy, leave it out: "
        f"--exclude=*{last}"
    ]
