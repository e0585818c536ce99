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
import itertools
import time
from collections.abc import Mapping, Sequence

from tl_keras.audit import duplicates
from tl_keras.audit.cache import FactCache
from tl_keras.audit.duplicates import Row
from tl_keras.audit.facts import YES, Facts
from tl_keras.audit.findings import labels_without_both, warnings_of
from tl_keras.audit.leakage import (
    after_the_cut,
    bytes_in_two_places,
    cut_apart,
    seen_in_training,
    without_copies,
)
from tl_keras.audit.manifest import read_manifest
from tl_keras.audit.reading import Reader
from tl_keras.audit.reports import (
    Report,
    describe,
    named,
    not_looked_at,
    write_reports,
)
from tl_keras.audit.rules import (
    BAD_INPUTS,
    CHECKS,
    REPAIRED,
    Rules,
    notes_on,
    reason_to_skip,
    repaired_file,
)
from tl_keras.audit.texts import check_text_listing
from tl_keras.data import (
    Listing,
    Skip,
    faults_of_skips,
    joined,
)
from tl_keras.data.examples import Hash, Stamp, label_key, label_name

__all__ = [
    "BAD_INPUTS",
    "CHECKS",
    "Report",
    "Rules",
    "after_the_cut",
    "check_listing",
    "cut_apart",
    "describe",
    "labels_without_both",
    "named",
    "seen_in_training",
    "write_reports",
]


def check_listing(
    listing: Listing, dataset: str, rules: Rules, kind: str = "image"
) -> Report:
    """Reads every example of a listing and judges it.

    Args:
        listing: from `tl_keras.data.list_dataset`, or of texts.
        dataset: its name, for the report and the cache of facts.
        rules: what is asked of examples.
        kind: of input, one of `CHECKS_BY_KIND`.

    Returns:
        A `Report`; its `listing` has what can be used, and pictures that had
        to be repaired point to their repaired copies under the same id.

    Raises:
        DataError: `data_manifest` cannot be read.

    Example:
        report = check_listing(list_dataset("flowers"), "flowers", Rules())
        print(report.faults or "can be trained on", report.warnings)
    """
    return CHECKS_BY_KIND[kind](listing, dataset, rules)


def check_examples(listing: Listing, dataset: str, rules: Rules) -> Report:
    """`check_listing` of pictures.

    Args:
        listing, dataset, rules: as there.

    Returns:
        As there.
    """
    began = time.perf_counter()
    sums = read_manifest(rules.data_manifest) if rules.data_manifest else {}
    if rules.check == "off":
        return not_looked_at(listing, dataset, rules)
    cache = FactCache.of(dataset)
    reader = Reader(
        decode=rules.check == "full",
        look=rules.check == "full" and rules.near_duplicates,
        max_pixels=rules.max_pixels,
        cache=cache,
    )
    examples = joined(listing.splits.values())
    stamps = examples.stamps()
    facts = reader.read(examples, stamps)
    # Facts hold whatever the verdict is: a check that refuses the data is quick
    # the next time.
    cache.save()
    listing = _hashed(listing, facts, stamps)
    listing, rows, mended = _judged(listing, facts, rules, sums)
    listing, rows, groups = without_copies(listing, rows)
    faults = faults_of_skips(listing, rules.max_bad_fraction, rules.bad_input)
    faults += bytes_in_two_places(groups, listing.class_names, rules)
    pairs = duplicates.near_pairs(rows) if reader.look else []
    return Report(
        dataset,
        rules,
        listing,
        faults=tuple(faults),
        warnings=(
            *listing.warnings,
            *warnings_of(listing, rows, pairs, sums, mended),
        ),
        notes=_notes(listing, rows, mended),
        rows=tuple(rows),
        groups=tuple(tuple(group) for group in groups),
        pairs=tuple(pairs),
        seconds=time.perf_counter() - began,
    )


# Kind of input -> the check of its listings.
CHECKS_BY_KIND = {"image": check_examples, "text": check_text_listing}


def _hashed(
    listing: Listing, facts: Sequence[Facts], stamps: Sequence[Stamp | None]
) -> Listing:
    """The listing with the hashes that the check has made anyway."""
    hashes = iter(
        [
            Hash(fact.sha256, stamp) if fact.sha256 else None
            for fact, stamp in zip(facts, stamps, strict=True)
        ]
    )
    splits = {
        split: dataclasses.replace(
            examples, hashes=tuple(itertools.islice(hashes, len(examples)))
        )
        for split, examples in listing.splits.items()
    }
    return dataclasses.replace(listing, splits=splits)


def _judged(
    listing: Listing,
    facts: Sequence[Facts],
    rules: Rules,
    sums: Mapping[str, str],
) -> tuple[Listing, list[Row], set[str]]:
    """The listing without what is skipped, its rows, and the files that were
    mended."""
    rows, skips, mended, splits = [], [], set(), {}
    remaining = iter(facts)
    for split, examples in listing.splits.items():
        files = list(examples.files) if examples.files is not None else None
        for index, id_ in enumerate(examples.ids):
            fact = next(remaining)
            label = label_key(examples.labels[index], listing.class_names)
            reason = reason_to_skip(fact, id_, rules, sums)
            file = files[index] if files else ""
            if reason and files and fact.refused:
                # Whatever else may be wrong with it stays wrong.
                decoded = dataclasses.replace(fact, decoded=YES)
                other = reason_to_skip(decoded, id_, rules, sums)
                repaired = "" if other else repaired_file(
                    examples, index, fact, rules.max_pixels
                )  # fmt: skip
                if repaired:
                    reason, files[index] = "", repaired
                    mended.add(file)
            if reason:
                name = label_name(label, listing.class_names)
                skips.append(Skip(id_, reason, split, name, file))
                continue
            group = examples.groups[index] if examples.groups else ""
            rows.append(Row(split, id_, label, fact, file, group))
        if files:
            # Of a mended picture the copy counts, which is another file.
            examples = dataclasses.replace(examples, files=tuple(files))
        splits[split] = examples
    listing = dataclasses.replace(listing, splits=splits).without(skips)
    return listing, rows, mended


def _notes(
    listing: Listing, rows: Sequence[Row], mended: set[str]
) -> dict[str, int]:
    """What is worth counting of the pictures that are used."""
    notes = collections.Counter(listing.notes)
    for row in rows:
        notes.update(notes_on(row.facts, row.id))
        if row.file in mended:
            notes[REPAIRED] += 1
    return dict(notes)
