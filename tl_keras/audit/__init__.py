"""A listing -> what of it can be used, what cannot, and why: the data check.

    report = check_listing(list_dataset("flowers"), "flowers", Rules())
    report.listing          # without what is skipped
    report.faults           # why it cannot be trained on; () when it can

In: a `Listing` and `Rules`. Out: a `Report`, which `reports.py` writes as
lines, JSON and a page. Every picture is read with the decoder that training
uses; no picture is changed and none is removed from the disk.
"""

import collections
import dataclasses
import time
from collections.abc import Mapping

import numpy as np

from tl_keras.audit import duplicates
from tl_keras.audit.cache import FactCache
from tl_keras.audit.duplicates import Row
from tl_keras.audit.headers import DAMAGED
from tl_keras.audit.judging import (
    BAD_INPUTS,
    CHECKS,
    REPAIRED,
    Rules,
    notes_on,
    reason_to_skip,
    repaired_file,
)
from tl_keras.audit.manifest import read_manifest
from tl_keras.audit.reading import Reader
from tl_keras.audit.reports import Report, describe, named, write_reports
from tl_keras.data import (
    Examples,
    Listing,
    Skip,
    faults_of_skips,
    joined,
)

__all__ = [
    "BAD_INPUTS",
    "CHECKS",
    "Report",
    "Rules",
    "check_listing",
    "cut_apart",
    "describe",
    "named",
    "write_reports",
]

COPIES = "the same bytes as another picture of its class"
MOST_RATIO = 50  # pictures of the largest class for one of the smallest
MOST_NAMED = 20  # pairs named one by one


def check_listing(listing: Listing, dataset: str, rules: Rules) -> Report:
    """Reads every picture of a listing and judges it.

    Args:
        listing: from `tl_keras.data.list_dataset`.
        dataset: its name, for the report and the cache of facts.
        rules: what is asked of pictures.

    Returns:
        A `Report`; its `listing` has what can be used, and pictures that had
        to be repaired point to their repaired copies under the same id.

    Raises:
        DataError: `data_manifest` cannot be read.
    """
    began = time.perf_counter()
    sums = read_manifest(rules.data_manifest) if rules.data_manifest else {}
    if rules.check == "off":
        faults = faults_of_skips(
            listing, rules.max_bad_fraction, rules.bad_input
        )
        return Report(dataset, rules, listing, faults=tuple(faults))
    rows, skips, notes, splits = [], [], collections.Counter(), {}
    cache = FactCache.of(dataset)
    reader = Reader(
        decode=rules.check == "full",
        look=rules.check == "full" and rules.near_duplicates,
        max_pixels=rules.max_pixels,
        cache=cache,
    )
    facts = reader.read(joined(listing.splits.values()))
    for split, examples in listing.splits.items():
        its_facts, facts = facts[: len(examples)], facts[len(examples) :]
        read = _judged(listing, split, examples, its_facts, rules, sums)
        splits[split], its_rows, its_skips, its_notes = read
        rows, skips, notes = (
            rows + its_rows,
            skips + its_skips,
            notes + its_notes,
        )
    cache.save()
    notes += collections.Counter(listing.notes)
    listing = dataclasses.replace(listing, splits=splits).without(skips)
    listing, rows, groups = _without_copies(listing, rows, rules)
    faults = faults_of_skips(listing, rules.max_bad_fraction, rules.bad_input)
    faults += _bytes_in_two_places(groups, listing.class_names, rules)
    pairs = duplicates.near_pairs(rows) if reader.look else []
    return Report(
        dataset,
        rules,
        listing,
        faults=tuple(faults),
        warnings=tuple(_warnings(listing, rows, pairs, sums)),
        notes=dict(notes),
        rows=tuple(rows),
        groups=tuple(tuple(group) for group in groups),
        pairs=tuple(pairs),
        seconds=time.perf_counter() - began,
    )


def _judged(listing, split, examples: Examples, facts, rules: Rules, sums):
    """Examples with repaired files in place, rows, skips and notes."""
    files = list(examples.files) if examples.files is not None else None
    rows, skips, notes = [], [], collections.Counter()
    for index, id_ in enumerate(examples.ids):
        fact, label = facts[index], int(examples.labels[index])
        reason = reason_to_skip(fact, id_, rules, sums)
        file = files[index] if files else ""
        if reason and fact.decoded not in ("", "yes") and files:
            repaired = repaired_file(examples, index, fact, rules.max_pixels)
            if repaired:
                reason, files[index] = "", repaired
                notes[REPAIRED] += 1
        if reason:
            name = listing.class_names[label]
            skips.append(Skip(id_, reason, split, name, file))
            continue
        notes.update(notes_on(fact, id_))
        rows.append(Row(split, id_, label, fact, file))
    if files:
        examples = dataclasses.replace(examples, files=tuple(files))
    return examples, rows, skips, notes


def _without_copies(listing: Listing, rows: list[Row], rules: Rules):
    """Drops copies that a cut could put on both sides of it.

    Where the data brings its splits, copies within one of them do no harm.
    """
    groups = duplicates.same_bytes(rows)
    cut = "val" not in listing.splits or "test" not in listing.splits
    if not cut or rules.allow_leakage:
        return listing, rows, groups
    copies = set()
    for group in groups:
        kept = set()
        for row in group:
            if row.split == "train" and row.label in kept:
                copies.add(row.id)
            kept |= {row.label} if row.split == "train" else set()
    if not copies:
        return listing, rows, groups
    train = listing.splits["train"]
    stay = [i for i, id_ in enumerate(train.ids) if id_ not in copies]
    listing = dataclasses.replace(
        listing,
        splits={**listing.splits, "train": train.take(stay)},
        ignored={**listing.ignored, COPIES: len(copies)},
    )
    rows = [r for r in rows if r.split != "train" or r.id not in copies]
    return listing, rows, groups


def _bytes_in_two_places(groups, names, rules: Rules) -> list[str]:
    """Faults: the same bytes under two labels, or in two splits."""
    faults = []
    for group in groups:
        first = group[0]
        for other in group[1:]:
            if other.label != first.label:
                faults.append(
                    f"{first.id} and {other.id}: the same bytes under "
                    f"{names[first.label]!r} and {names[other.label]!r} - keep "
                    "the right one"
                )
            elif other.split != first.split and not rules.allow_leakage:
                faults.append(
                    f"{first.id} and {other.id}: the same bytes in "
                    f"{first.split} and {other.split} - take one away, or give "
                    "--allow_leakage"
                )
    if len(faults) > MOST_NAMED:
        more = f"and {len(faults) - MOST_NAMED:,} more pairs of equal bytes"
        faults = [*faults[:MOST_NAMED], more]
    return faults


def _warnings(listing: Listing, rows, pairs, sums) -> list[str]:
    """What a person should know, and which hinders no training."""
    warnings = []
    for split, examples in listing.splits.items():
        counts = np.bincount(
            examples.labels, minlength=len(listing.class_names)
        )
        for label, count in enumerate(counts):
            if count == 1:
                warnings.append(
                    f"class {listing.class_names[label]!r} has one picture in "
                    f"{split} - its score there says nothing"
                )
        if min(counts) and max(counts) / min(counts) > MOST_RATIO:
            warnings.append(
                f"{split} has {max(counts):,} pictures of "
                f"{listing.class_names[int(np.argmax(counts))]!r} and "
                f"{min(counts):,} of "
                f"{listing.class_names[int(np.argmin(counts))]!r} - look at "
                "macro-F1, not at accuracy; --class_weights=balanced helps"
            )
    hurt = [row.id for row in rows if DAMAGED in row.facts.notes]
    if hurt:
        count = "1 JPEG is" if len(hurt) == 1 else f"{len(hurt):,} JPEGs are"
        warnings.append(
            f"{count} damaged inside, with wrong pixels and no error - look at "
            f"{', '.join(hurt[:5])}{', ...' if len(hurt) > 5 else ''}"
        )
    warnings += _looking_alike(pairs)
    if sums:
        unlisted = [row.id for row in rows if row.id not in sums]
        absent = set(sums) - {row.id for row in rows}
        absent -= {skip.id for skip in listing.skipped}
        for some, words in (
            (unlisted, "are not in --data_manifest, so nobody vouches for "
             "their bytes"),
            (sorted(absent), "of --data_manifest are not among the pictures"),
        ):  # fmt: skip
            if some:
                warnings.append(f"{len(some):,} files {words}: {some[0]}")
    return warnings


def cut_apart(report: Report, splits: Mapping[str, Examples]) -> list[str]:
    """A warning of pairs that look alike and were cut into two splits.

    Args:
        report: of the listing.
        splits: what became of it, "train", "val" and "test".
    """
    place = {id_: split for split, e in splits.items() for id_ in e.ids}
    apart = [
        (pair.first.id, pair.second.id)
        for pair in report.pairs
        if pair.first.split == pair.second.split == "train"
        and len({place.get(r.id) for r in (pair.first, pair.second)} - {None})
        > 1
    ]
    if not apart:
        return []
    return [
        f"{len(apart):,} of the pairs that look alike were cut apart, as "
        f"{apart[0][0]} ({place[apart[0][0]]}) and {apart[0][1]} "
        f"({place[apart[0][1]]}) - the test score may be too good; take one of "
        "each away"
    ]


def _looking_alike(pairs) -> list[str]:
    """How many pairs look alike, by what that puts at risk."""
    risks = {
        "splits": "in two splits - the test score may be too good",
        "labels": "under two labels - one of the two may be wrong",
        "": "in one class of one split - copies teach little",
    }
    warnings = []
    for risk, words in risks.items():
        some = [pair for pair in pairs if pair.crosses() == risk]
        if some:
            first = some[0]
            example = f"{first.first.id} and {first.second.id}"
            count = "1 pair of pictures looks alike"
            if len(some) > 1:
                count = f"{len(some):,} pairs of pictures look alike"
                example = f"for example {example}"
            warnings.append(f"{count} {words}: {example}")
    return warnings
