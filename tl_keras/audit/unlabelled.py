"""Pictures without labels -> those that may be learnt from.

    usable, left_out = usable_unlabelled(unlabelled, splits, rules, cache)

In: unlabelled pictures, and the splits of a run. Out: the places of those that
can be read and that no split holds, neither their bytes nor, re-encoded,
resized or mirrored, their look; and why each of the others is left out. So
nothing of the test split is ever learnt from.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tl_keras.audit.cache import FactCache
from tl_keras.audit.duplicates import near_any
from tl_keras.audit.facts import Facts
from tl_keras.audit.reading import Reader
from tl_keras.audit.rules import Rules, reason_to_skip
from tl_keras.data import Examples

UNUSABLE = "cannot be used"
AGAIN = "the bytes of another one of them"
LABELLED = "the bytes of a labelled picture"
# Of a picture to train on, a copy that looks alike does no harm.
KEPT_APART = {"test": "the test split", "val": "the validation split"}


def usable_unlabelled(
    unlabelled: Examples,
    splits: Mapping[str, Examples],
    rules: Rules,
    *,
    known: Iterable[str] = (),
    caches: tuple[FactCache | None, FactCache | None] = (None, None),
) -> list[str]:
    """Why each picture may not be learnt from; "" where it may.

    Args:
        unlabelled: the pictures; their labels are not read.
        splits: "train", "val" and "test" of a run.
        rules: what is asked of a picture. Whatever they say of duplicates,
            every picture is decoded and compared with those kept apart.
        known: SHA-256 of more pictures whose labels are known.
        caches: of facts about the unlabelled, which is written, and about
            those of the splits, which is read.

    Returns:
        One reason a picture, in their order.

    Raises:
        OSError: a picture of a split cannot be read.

    Example:
        reasons = usable_unlabelled(unlabelled, labelled.examples(), Rules())
        unlabelled.take([i for i, why in enumerate(reasons) if not why])
    """
    of_unlabelled, of_splits = caches
    facts = _facts(unlabelled, rules, of_unlabelled)
    if of_unlabelled is not None:
        of_unlabelled.save()
    reasons = _by_bytes(facts, unlabelled.ids, splits, rules, set(known))
    for split, words in KEPT_APART.items():
        if not len(splits.get(split, ())):
            continue
        others = _facts(splits[split], rules, of_splits)
        alike = near_any(facts, others)
        reasons = [
            why or (f"looks like a picture of {words}" if near else "")
            for why, near in zip(reasons, alike, strict=True)
        ]
    return reasons


def _facts(
    examples: Examples, rules: Rules, cache: FactCache | None
) -> list[Facts]:
    reader = Reader(True, True, rules.max_pixels, cache)
    return reader.read(examples)


def _by_bytes(
    facts: Sequence[Facts],
    ids: Sequence[str],
    splits: Mapping[str, Examples],
    rules: Rules,
    known: set[str],
) -> list[str]:
    """The reasons that a picture and its bytes give alone."""
    where = dict.fromkeys(known, LABELLED)
    for split, examples in splits.items():
        words = f"the bytes of a picture of {KEPT_APART.get(split, '')}"
        if split not in KEPT_APART:
            words = LABELLED
        where |= dict.fromkeys(examples.content_ids(), words)
    rules = dataclasses.replace(rules, data_manifest="")
    reasons = []
    for fact, id_ in zip(facts, ids, strict=True):
        skip = reason_to_skip(fact, id_, rules, {})
        why = f"{UNUSABLE}: {skip}" if skip else where.get(fact.sha256, "")
        where.setdefault(fact.sha256, AGAIN)
        reasons.append(why)
    return reasons


def summed(reasons: Iterable[str]) -> dict[str, int]:
    """Reason -> how many have it; of what cannot be used, in one."""
    short = [why.partition(":")[0] for why in reasons if why]
    return {why: short.count(why) for why in dict.fromkeys(short)}


def places(reasons: Sequence[str]) -> np.ndarray:
    """Indices of those without a reason."""
    return np.flatnonzero([not why for why in reasons])
