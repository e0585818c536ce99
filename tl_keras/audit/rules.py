"""Facts and rules -> what each picture is worth: used, repaired or skipped.

In: what `reading` found out. Out: the reason why a picture is skipped, or "".
Facts never change with the rules, so that they can be kept; verdicts do.
"""

import dataclasses
import os
import pathlib
import warnings
from collections.abc import Mapping

from tl_keras import atomic
from tl_keras.audit.facts import Facts
from tl_keras.cache import user_cache
from tl_keras.data import Examples
from tl_keras.inputs.image import formats, pixels

CHECKS = ("full", "fast", "off")
BAD_INPUTS = ("skip", "fail")
OTHER_SUFFIX = "named otherwise than its content"
REPAIRED = "read by Pillow, since TensorFlow cannot"


@dataclasses.dataclass(frozen=True)
class Rules:
    """What is asked of pictures.

    Attributes:
        check: one of `CHECKS`; "fast" reads headers and hashes bytes.
        max_bad_fraction: the share of pictures that may be unusable.
        bad_input: one of `BAD_INPUTS`; "fail" lets none be unusable.
        max_pixels: width times height; more are never decoded.
        min_side: pixels of the shorter side.
        max_aspect: the longer side over the shorter.
        allow_leakage: let the same bytes be in two splits.
        near_duplicates: look for copies that differ in their bytes.
        data_manifest: a list as sha256sum writes it, or "".
    """

    check: str = "full"
    max_bad_fraction: float = 0.01
    bad_input: str = "skip"
    max_pixels: int = 100_000_000
    min_side: int = 8
    max_aspect: float = 20.0
    allow_leakage: bool = False
    near_duplicates: bool = True
    data_manifest: str = ""


def reason_to_skip(
    facts: Facts, id_: str, rules: Rules, sums: Mapping[str, str]
) -> str:
    """Why a picture is not used: what it is, and the remedy; "" when it is.

    Args:
        facts: what is known of it.
        id_: its id, which `sums` names it by.
        rules: what is asked of it.
        sums: id -> SHA-256 that its bytes should have; one that is not there
            is not asked for.

    Returns:
        One line, for the report.
    """
    if facts.problem:
        return facts.problem
    if facts.refused and not facts.side:
        return facts.refused  # Of what has no size the reason is another.
    if facts.width * facts.height > rules.max_pixels:
        return (
            f"too large: {facts.width} x {facts.height} pixels, expected "
            f"{rules.max_pixels:,} at most - scale it down or raise "
            "--max_pixels"
        )
    if facts.side < rules.min_side:
        return (
            f"too small: {facts.width} x {facts.height} pixels, expected "
            f"{rules.min_side} on each side - take it away or lower --min_side"
        )
    if max(facts.width, facts.height) > rules.max_aspect * facts.side:
        return (
            f"too narrow: {facts.width} x {facts.height} pixels, expected "
            f"sides of 1 to {rules.max_aspect:g} at most - cut it or raise "
            "--max_aspect"
        )
    if facts.refused:
        return facts.refused
    if sums.get(id_, facts.sha256) != facts.sha256:
        return "its bytes are not those of --data_manifest - fetch it again"
    return ""


def notes_on(facts: Facts, id_: str) -> list[str]:
    """What is worth counting of a picture that is used."""
    notes = list(facts.notes)
    suffix = os.path.splitext(id_.strip().lower())[1]
    if suffix and suffix not in formats.SUFFIXES[facts.format]:
        notes.append(OTHER_SUFFIX)
    return notes


def repaired_file(
    examples: Examples, index: int, facts: Facts, max_pixels: int
) -> str:
    """The path of a PNG with the same pixels that TensorFlow reads, or "".

    It is kept by the hash of the original, so it is made once.

    Args:
        examples: where the picture is.
        index: which one.
        facts: its own; the copy is named by `sha256`.
        max_pixels: width x height above which nothing is decoded.

    Returns:
        "" where Pillow cannot read it either, or the disk takes no copy.
    """
    place = user_cache("repaired") / f"{facts.sha256}.png"
    if place.exists():
        return str(place)
    try:
        with warnings.catch_warnings():
            # Pillow's remarks name no file, and ours says what matters.
            warnings.simplefilter("ignore")
            encoded = pixels.repair(examples.read(index), max_pixels)
        if encoded is None:
            return ""
        with atomic.replacing(place) as temporary:
            pathlib.Path(temporary).write_bytes(encoded)
    except OSError:
        return ""
    return str(place)
