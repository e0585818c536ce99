"""What a card shows of texts: excerpts, words that decided, lengths.

    metrics["texts"] = text_section(
        texts, labels, probabilities, names, answers_of=answer)

In: the texts of a split, what is true, and what was answered. Out: plain values
for metrics.json, which `templates/texts.html` shows. A page cannot show a text
as it shows a picture, at a glance: so it says which words carried the answer.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tl_keras.inputs.text import excerpt
from tl_keras.inputs.text.occlusion import occlusion
from tl_keras.tasks.multiclass import wilson_interval

MAX_PAIRS = 8  # of confused classes
MAX_OF_A_PAIR = 2  # excerpts
MAX_SHOWN = 8  # mistakes, and uncertain texts
MAX_WORDS = 3  # said of each to have decided
MIN_WEIGHT = 0.005  # of a word that is said to; less is shown as 0.00
LENGTHS = 4  # groups of about as many texts each
MIN_A_LENGTH = 10  # texts, for an accuracy that says something


def text_section(
    texts: Sequence[bytes],
    labels: np.ndarray,
    probabilities: np.ndarray,
    names: Sequence[str],
    *,
    answers_of: Callable[[list[str]], np.ndarray] | None = None,
) -> dict:
    """Chooses what a page shows of a split.

    Args:
        texts: UTF-8, as they were listed.
        labels: int (n,), what is true.
        probabilities: (n, num_classes), what was answered.
        names: of the classes.
        answers_of: texts -> probabilities (n, num_classes), of the same
            model; None leaves out which words decided.

    Returns:
        `confused`: pairs of classes with excerpts, the most frequent first;
        `mistakes` and `uncertain`: texts with names, scores and `words`;
        `lengths`: rows of `accuracy_by_length`.
    """
    labels, predicted = np.asarray(labels), probabilities.argmax(axis=1)
    scores = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    mistakes = wrong[np.argsort(-scores[wrong], kind="stable")][:MAX_SHOWN]
    uncertain = np.argsort(scores, kind="stable")
    uncertain = uncertain[~np.isin(uncertain, mistakes)][:MAX_SHOWN]
    decided = _words(texts, predicted, [*mistakes, *uncertain], answers_of)

    def shown(row: int) -> dict:
        return {
            "excerpt": excerpt(texts[row]),
            "true": names[labels[row]],
            "predicted": names[predicted[row]],
            "score": float(scores[row]),
            "words": decided.get(row, []),
        }

    return {
        "confused": _confused(texts, labels, predicted, scores, names),
        "mistakes": [shown(row) for row in mistakes.tolist()],
        "uncertain": [shown(row) for row in uncertain.tolist()],
        "lengths": accuracy_by_length(
            [len(text.decode("utf-8", "replace").split()) for text in texts],
            predicted == labels,
        ),
    }


def _confused(texts, labels, predicted, scores, names) -> list[dict]:
    """Pairs of classes, the most frequent first, those surest of it shown."""
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-scores[wrong], kind="stable")]
    pairs: dict[tuple[int, int], list[int]] = {}
    for row in wrong.tolist():
        pairs.setdefault((int(labels[row]), int(predicted[row])), []).append(
            row
        )
    ordered = sorted(pairs.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [
        {
            "true": names[true],
            "predicted": names[taken_for],
            "count": len(rows),
            "of": int((labels == true).sum()),
            "excerpts": [excerpt(texts[r]) for r in rows[:MAX_OF_A_PAIR]],
        }
        for (true, taken_for), rows in ordered[:MAX_PAIRS]
    ]


def _words(texts, predicted, rows, answers_of) -> dict[int, list[dict]]:
    """Row -> the words that carried its answer most, the strongest first."""
    if answers_of is None or not rows:
        return {}
    plain = [texts[row].decode("utf-8", "replace") for row in rows]
    found = occlusion(answers_of, plain, [predicted[row] for row in rows])
    return {
        int(row): [
            {"text": excerpt(part.text.encode(), 40), "weight": part.weight}
            for part in sorted(parts, key=lambda p: -p.weight)[:MAX_WORDS]
            if part.weight >= MIN_WEIGHT
        ]
        for row, parts in zip(rows, found, strict=True)
    }


def accuracy_by_length(
    lengths: Sequence[int], right: Sequence[bool], groups: int = LENGTHS
) -> list[dict]:
    """Whether short or long examples are answered better.

    Args:
        lengths: int (n,), of each example.
        right: bool (n,), whether it was answered right.
        groups: of about as many examples each; fewer where there are few.

    Returns:
        Rows with `least` and `most`, the lengths; `count`; `accuracy` and its
        95 % `interval`. Each length is in one row alone.
    """
    lengths, right = np.asarray(lengths), np.asarray(right, bool)
    groups = min(groups, len(lengths) // MIN_A_LENGTH)
    if groups < 2:
        return []
    bounds = np.quantile(
        lengths, np.arange(1, groups) / groups, method="inverted_cdf"
    )
    group = np.searchsorted(np.unique(bounds), lengths)
    rows = []
    for number in np.unique(group):
        own = group == number
        hits, count = int(right[own].sum()), int(own.sum())
        rows.append(
            {
                "least": int(lengths[own].min()),
                "most": int(lengths[own].max()),
                "count": count,
                "accuracy": hits / count,
                "interval": wilson_interval(hits, count),
            }
        )
    return rows
