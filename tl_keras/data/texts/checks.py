"""What is wrong with labelled texts, before anything is trained on them.

    report = check_texts(list_texts("reviews.csv"))
    report.faults                            # these would spoil a run
    report.warnings                          # these a person should look at

In: a listing. Out: a `TextReport`: one text under two labels, texts in two
splits, copies exact and near, another alphabet or language than the rest, HTML
left in, label words in the text.
"""

import collections
import dataclasses
import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np

from tl_keras.data.examples import Listing, label_text
from tl_keras.inputs.text.facts import TextFacts, excerpt, facts_of

MAX_NAMED = 5  # of a kind
# Of the words of two texts, how many are in both: as one is of the other.
NEAR = 0.8
NEAR_WORDS = 4  # shorter texts are near by chance
# A word in so many texts brings no two of them together.
COMMON_WORD = 200
# Function words that tell a language from another of the same alphabet.
LANGUAGES = {
    "English": "the and is to of my was for that have not with this you it on",
    "German": "der die das und ist nicht ich ein eine zu mit auf wie den von",
    "French": "le les des est et je une pas pour que dans qui vous sur mon",
    "Spanish": "el los las es y de que no una por con para mi como lo en",
    "Italian": "il gli che non di una per sono con mi come della è ho questo",
    "Portuguese": "o os as é não de que uma por com para meu como em você",
    "Dutch": "de het een en is niet ik van dat op te zijn met voor mijn",
}
# That a text must hold, and so many more than of any other language.
LANGUAGE_WORDS, MORE = 3, 2
FOREIGN_SHARE = 0.1  # what is commoner belongs to the data
# A label's words in its own texts, against in others': then it gives it away.
GIVEN_AWAY, TIMES = 0.5, 20


@dataclasses.dataclass(frozen=True)
class TextReport:
    """What was found.

    Attributes:
        faults: lines that name what spoils training or measuring.
        warnings: lines that name what a person should look at.
        counts: how often each kind was found, by kind.
        near: pairs of ids that are nearly the same text, with the share.
    """

    faults: tuple[str, ...]
    warnings: tuple[str, ...]
    counts: dict[str, int]
    near: tuple[tuple[str, str, float], ...] = ()

    def lines(self) -> list[str]:
        """All of it, faults first."""
        return [*self.faults, *self.warnings]


@dataclasses.dataclass(frozen=True)
class _Row:
    """A text with what was made of it."""

    id: str
    split: str
    label: str
    text: str
    plain: str
    words: frozenset[str]
    facts: TextFacts


def check_texts(
    listing: Listing,
    *,
    cut: Sequence[str] = (),
    max_tokens: int | None = None,
    near: bool = True,
) -> TextReport:
    """Looks at all texts of a listing.

    Args:
        listing: from `list_texts`.
        cut: ids of texts that are longer than the network takes.
        max_tokens: what it takes; for the message.
        near: whether to look for pairs that share most of their words.

    Returns:
        `TextReport`; kinds with many cases name the first of them.

    Example:
        report = check_texts(list_texts("reviews.csv"))
    """
    rows = list(_rows(listing))
    found = {
        "one text under two labels": (True, list(_two_labels(rows))),
        "one text in two splits": (True, list(_two_splits(rows))),
        "not UTF-8 or nothing to see": (True, list(_unreadable(rows))),
        "the same text again": (False, list(_copies(rows))),
        "another alphabet": (False, list(_alphabets(rows))),
        "another language": (False, list(_languages(rows))),
        "HTML left in": (False, list(_html(rows))),
        "label words in the text": (
            False,
            list(_given_away(rows)) if _of_classes(listing) else [],
        ),
    }
    pairs = list(_near(rows)) if near else []
    across = [p for p in pairs if p[0].split != p[1].split]
    found["nearly the same text in two splits"] = (
        False, [_pair(a, b, share) for a, b, share in across],
    )  # fmt: skip
    found["nearly the same text again"] = (
        False,
        [_pair(a, b, share) for a, b, share in pairs if a.split == b.split],
    )
    faults, warnings, counts = [], [], {}
    for kind, (is_fault, lines) in found.items():
        if lines:
            counts[kind] = len(lines)
            (faults if is_fault else warnings).extend(_first(kind, lines))
    if cut:
        counts["longer than max_tokens"] = len(cut)
        warnings.append(longer_than(len(cut), len(rows), max_tokens))
    near = tuple((a.id, b.id, share) for a, b, share in pairs)
    return TextReport(tuple(faults), tuple(warnings), counts, near)


def longer_than(cut: int, count: int, max_tokens: int | None) -> str:
    """The warning of texts that are longer than the network takes.

    Args:
        cut: how many are.
        count: of how many texts.
        max_tokens: what it takes.

    Returns:
        One line.
    """
    return (
        f"longer than max_tokens: {cut:,} of {count:,} texts "
        f"({cut / max(count, 1):.1%}) lose their end to max_tokens="
        f"{max_tokens} - raise it if what matters stands there"
    )


def _rows(listing: Listing) -> Iterator[_Row]:
    for split, examples in listing.splits.items():
        for place, id_ in enumerate(examples.ids):
            encoded = examples.read(place)
            text = encoded.decode("utf-8", "replace")
            plain = normalized(text)
            yield _Row(
                id_, split,
                label_text(examples.labels[place], listing.class_names), text,
                plain, frozenset(plain.split()), facts_of(encoded),
            )  # fmt: skip


def normalized(text: str) -> str:
    """Letters and digits in small letters, without accents, in single
    blanks: what two copies of a text have in common."""
    text = unicodedata.normalize("NFKD", text.casefold())
    text = "".join(c for c in text if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", text))


def _first(kind: str, lines: list[str]) -> list[str]:
    shown = [f"{kind}: {line}" for line in lines[:MAX_NAMED]]
    if len(lines) > MAX_NAMED:
        shown.append(f"{kind}: and {len(lines) - MAX_NAMED:,} more like these")
    return shown


def _shown(row: _Row) -> str:
    return f"{row.id} ({excerpt(row.text.encode('utf-8', 'replace'), 60)!r})"


def _pair(first: _Row, second: _Row, share: float) -> str:
    return f"{_shown(first)} and {_shown(second)}, {share:.0%} of their words"


def _by_text(rows: list[_Row]) -> Iterator[list[_Row]]:
    """Rows of one text, where there are several."""
    groups: dict[str, list[_Row]] = collections.defaultdict(list)
    for row in rows:
        # Of signs alone nothing is left: then the text as it is counts.
        groups[row.plain or row.text.strip()].append(row)
    return (group for group in groups.values() if len(group) > 1)


def _two_labels(rows: list[_Row]) -> Iterator[str]:
    for group in _by_text(rows):
        first = group[0]
        other = next((r for r in group if r.label != first.label), None)
        if other is not None:
            yield (
                f"{_shown(first)} is {first.label!r}, and {other.id} is "
                f"{other.label!r} - keep the right one"
            )


def _two_splits(rows: list[_Row]) -> Iterator[str]:
    for group in _by_text(rows):
        first = group[0]
        other = next((r for r in group if r.split != first.split), None)
        if other is not None:
            yield (
                f"{_shown(first)} of {first.split} is {other.id} of "
                f"{other.split} - keep it in one"
            )


def _copies(rows: list[_Row]) -> Iterator[str]:
    for group in _by_text(rows):
        if len({(r.label, r.split) for r in group}) < len(group):
            yield f"{_shown(group[0])} stands there {len(group)} times"


def _near(rows: list[_Row]) -> Iterator[tuple[_Row, _Row, float]]:
    """Pairs whose words are nearly the same, not their text."""
    holders: dict[str, list[int]] = collections.defaultdict(list)
    for place, row in enumerate(rows):
        if len(row.words) >= NEAR_WORDS:
            for word in row.words:
                holders[word].append(place)
    for place, row in enumerate(rows):
        if len(row.words) < NEAR_WORDS:
            continue
        # Of two texts that share so much, one of the rarest words of each is
        # in the other; so many of them have to be looked at.
        rarest = sorted(row.words, key=lambda word: (len(holders[word]), word))
        looked = int((1 - NEAR) * len(rarest)) + 1
        others = {
            other
            for word in rarest[:looked]
            if len(holders[word]) <= COMMON_WORD
            for other in holders[word]
            if other > place
        }
        for other in sorted(others):
            second = rows[other]
            shared = len(row.words & second.words)
            share = shared / len(row.words | second.words)
            if share >= NEAR and row.plain != second.plain:
                yield row, second, share


def _unreadable(rows: list[_Row]) -> Iterator[str]:
    for row in rows:
        for fault in row.facts.faults:
            if not fault.startswith("HTML"):
                yield f"{row.id}: {fault}"


def _html(rows: list[_Row]) -> Iterator[str]:
    for row in rows:
        if row.facts.html:
            yield f"{_shown(row)} has {row.facts.html[:40]}"


def _alphabets(rows: list[_Row]) -> Iterator[str]:
    yield from _rare(rows, [row.facts.alphabet for row in rows])


def _languages(rows: list[_Row]) -> Iterator[str]:
    yield from _rare(rows, [language_of(row.plain) for row in rows])


def language_of(plain: str) -> str:
    """A language by its function words; "" where they do not tell it."""
    words = set(plain.split())
    counts = sorted(
        (len(words & known), name) for name, known in _KNOWN.items()
    )
    (second, _), (most, name) = counts[-2:]
    told = most >= max(LANGUAGE_WORDS, second + MORE)
    return name if told else ""


_KNOWN = {
    name: frozenset(normalized(words).split())
    for name, words in LANGUAGES.items()
}


def _rare(rows: list[_Row], kinds: list[str]) -> Iterator[str]:
    """Rows of a kind that few are of, where most are of another."""
    counts = collections.Counter(kind for kind in kinds if kind)
    if not counts:
        return
    usual, most = counts.most_common(1)[0]
    if most < 0.5 * counts.total():
        return
    rare = {k for k, n in counts.items() if n < FOREIGN_SHARE * counts.total()}
    for row, kind in zip(rows, kinds, strict=True):
        if kind in rare - {usual}:
            yield f"{_shown(row)} is {kind.title()}, most are {usual.title()}"


def _of_classes(listing: Listing) -> bool:
    return all(e.labels.ndim == 1 for e in listing.splits.values())


def _given_away(rows: list[_Row]) -> Iterator[str]:
    """Labels whose words stand in their own texts and in no others."""
    labels = np.array([row.label for row in rows])
    for label in sorted(set(labels.tolist())):
        words = frozenset(normalized(label.replace("_", " ")).split())
        if not words:
            continue
        held = np.array([words <= row.words for row in rows])
        own = held[labels == label].mean()
        others = held[labels != label]
        elsewhere = others.mean() if len(others) else 0.0
        if own >= GIVEN_AWAY and own > TIMES * elsewhere:
            yield (
                f"{' '.join(sorted(words))!r} stands in {own:.0%} of the texts "
                f"of {label!r} and in {elsewhere:.1%} of the others - was the "
                "label taken from the text?"
            )
