"""A listing of texts -> what of it can be used, what cannot, and why.

    listing = list_texts("reviews.csv")
    report = check_text_listing(listing, "reviews.csv", Rules())
    report.faults, report.warnings

In: a `Listing` and `Rules`. Out: a `Report`, the same as of pictures. Texts
are the same where their letters and digits are; what is nearly the same shares
most of its words.
"""

import dataclasses
import hashlib
import time
from collections.abc import Sequence

from tl_keras.audit.duplicates import Pair, Row, same_bytes
from tl_keras.audit.facts import Facts
from tl_keras.audit.findings import class_warnings
from tl_keras.audit.leakage import (
    SAME_TEXT,
    bytes_in_two_places,
    without_copies,
)
from tl_keras.audit.reports import Report, not_looked_at
from tl_keras.audit.rules import Rules
from tl_keras.data import (
    Listing,
    Skip,
    faults_of_skips,
)
from tl_keras.data.examples import label_key, label_name
from tl_keras.data.texts.checks import check_texts, normalized
from tl_keras.inputs.kinds import nouns
from tl_keras.inputs.text.facts import facts_of

KIND = "text"
NEARLY = "nearly the same words"
HTML = "HTML left in"


@dataclasses.dataclass(frozen=True)
class TextFacts(Facts):
    """What is known of one text, in the place of a picture's facts.

    Attributes:
        sha256: of its letters and digits: what two copies have in common.
        words: how many there are.
    """

    words: int = 0

    @property
    def side(self) -> int:
        """Its size: words."""
        return self.words

    def in_words(self) -> str:
        """ "12 words"."""
        return f"{self.words:,} word{'s' * (self.words != 1)}"


def check_text_listing(listing: Listing, dataset: str, rules: Rules) -> Report:
    """Judges every text of a listing.

    Args:
        listing: from `tl_keras.data.texts.list_texts`.
        dataset: its name, for the report.
        rules: what is asked of it; those about pictures are not read.

    Returns:
        A `Report`; its `listing` has what can be used.

    Example:
        report = check_text_listing(list_texts("a.csv"), "a.csv", Rules())
    """
    began = time.perf_counter()
    if rules.check == "off":
        return not_looked_at(listing, dataset, rules, KIND)
    listing, rows, html = _judged(listing)
    listing, rows, groups = without_copies(listing, rows, SAME_TEXT)
    faults = faults_of_skips(listing, rules.max_bad_fraction, rules.bad_input)
    faults += bytes_in_two_places(
        _of_one_label(listing, groups), listing.class_names, rules, "text"
    )
    near = rules.check == "full" and rules.near_duplicates
    found = check_texts(listing, near=near)
    known = {row.id: row for row in rows}
    pairs = tuple(
        # As alike as they are in words, of the 256 bits of a picture's look.
        Pair(known[one], known[other], NEARLY, round(256 * (1 - share)))
        for one, other, share in found.near
    )
    return Report(
        dataset,
        rules,
        listing,
        faults=tuple(faults),
        warnings=(
            *listing.warnings,
            *class_warnings(listing, nouns(KIND)),
            *found.warnings,
        ),
        notes={**listing.notes, **({HTML: html} if html else {})},
        rows=tuple(rows),
        groups=tuple(tuple(group) for group in groups),
        pairs=pairs,
        seconds=time.perf_counter() - began,
        kind=KIND,
        by_finding=found.counts,
    )


def _has_numbers(listing: Listing) -> bool:
    return any(e.labels.dtype.kind == "f" for e in listing.splits.values())


def _of_one_label(
    listing: Listing, groups: Sequence[Sequence[Row]]
) -> list[list[Row]]:
    """Groups of one text; two numbers of it may both be true."""
    if not _has_numbers(listing):
        return list(groups)
    return [[dataclasses.replace(r, label="") for r in g] for g in groups]


def _judged(listing: Listing) -> tuple[Listing, list[Row], int]:
    """The listing without what is skipped, its rows, and how many of them
    have HTML in them."""
    rows, skips, html = [], [], 0
    for split, examples in listing.splits.items():
        for place, id_ in enumerate(examples.ids):
            encoded = examples.read(place)
            label = label_key(examples.labels[place], listing.class_names)
            found = facts_of(encoded)
            faults = [f for f in found.faults if not f.startswith(HTML)]
            if faults:
                name = label_name(label, listing.class_names)
                reason = f"{faults[0]} - mend it, or take it away"
                skips.append(Skip(id_, reason, split, name))
                continue
            html += bool(found.html)
            group = examples.groups[place] if examples.groups else ""
            text = encoded.decode()
            same = normalized(text) or text.strip()
            facts = TextFacts(
                sha256=hashlib.sha256(same.encode()).hexdigest(),
                format="text",
                words=found.words,
            )
            rows.append(Row(split, id_, label, facts, group=group))
    more: list[Skip] = []
    if not _has_numbers(listing):
        rows, more = _agreeing(rows, listing.class_names)
    return listing.without([*skips, *more]), rows, html


def _agreeing(
    rows: list[Row], names: Sequence[str]
) -> tuple[list[Row], list[Skip]]:
    """The rows but those of one text under two labels, and these, skipped.

    Which label is right nobody here can say.
    """
    skips: list[Skip] = []
    for group in same_bytes(rows):
        for row in group:
            other = next((r for r in group if r.label != row.label), None)
            if other is None:
                continue
            reason = (
                f"the same text as {other.id} under "
                f"{label_name(other.label, names)!r} - keep the right one"
            )
            name = label_name(row.label, names)
            skips.append(Skip(row.id, reason, row.split, name))
    gone = {(skip.split, skip.id) for skip in skips}
    return [r for r in rows if (r.split, r.id) not in gone], skips
