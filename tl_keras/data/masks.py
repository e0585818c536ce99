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

# What is appended to a picture's stem; a mask may be one of several.
MASK = re.compile(
    r"(?P<stem>.+?)(?P<mark>[ ._-]?(?:mask|masks|masked|gt|groundtruth|seg|"
    r"segmentation|segmented|annotation|annotated|label|labels|lbl|matte|"
    r"trimap|contour|overlay|heatmap|bbox))(?P<number>[ ._-]?\(?\d*\)?)",
    re.IGNORECASE,
)
LEAST_SHARE = 0.05  # of all pictures: one or two may be so named by chance


def mask_warnings(files: Sequence[str]) -> list[str]:
    """A warning for each way in which masks are named.

    Args:
        files: paths of the pictures of a split.
    """
    stems = {os.path.splitext(file)[0] for file in files}
    found: dict[str, list[str]] = collections.defaultdict(list)
    for file in files:
        folder, name = os.path.split(file)
        match = MASK.fullmatch(os.path.splitext(name)[0])
        if match and os.path.join(folder, match["stem"]) in stems:
            found[match["mark"]].append(name)
    return [
        f"{len(names):,} of {len(files):,} pictures are named as the masks of "
        f"others, such as {names[0]} - leave them out: --exclude=*{mark}*"
        for mark, names in sorted(found.items())
        if len(names) > LEAST_SHARE * len(files)
    ]
