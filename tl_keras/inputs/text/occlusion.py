"""Which words of a text carry an answer: each is left out in turn.

    (words,) = occlusion(answers_of, ["where is my card?"], [2])
    [(word.text, word.weight) for word in words]

In: a function that answers texts, and the answer of each that is explained.
Out: by how much the answer's probability is lower without each word. All texts
without all of their words are asked in a few large batches.

Reference: Li, Monroe and Jurafsky, "Understanding Neural Networks through
Representation Erasure", 2016.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

WORD = re.compile(r"\S+")
# Of a longer text so many words in a row are left out together, that no text is
# asked more often.
MAX_PARTS = 48
AT_ONCE = 256  # texts, in a batch


class Part(NamedTuple):
    """A word of a text, or a few in a row of a long one.

    Attributes:
        text: as it stands there.
        weight: how much lower the probability is without it, -1 to 1; below
            0 it speaks against the answer.
    """

    text: str
    weight: float


def occlusion(
    answers_of: Callable[[list[str]], np.ndarray],
    texts: Sequence[str],
    chosen: Sequence[int],
    *,
    max_parts: int = MAX_PARTS,
) -> list[tuple[Part, ...]]:
    """Leaves each word out.

    Args:
        answers_of: texts -> probabilities (n, outputs).
        texts: to explain; each with what goes before and after its words.
        chosen: of each text the output that is explained.
        max_parts: of a text, 1 or more.

    Returns:
        The words of each text in their order; none where it has none.

    Example:
        words = occlusion(baseline.probabilities, ["where is my card?"], [2])
    """
    spans = [parts_of(text, max_parts) for text in texts]
    asked = list(texts)
    for text, some in zip(texts, spans, strict=True):
        asked += [text[:start] + text[end:] for start, end in some]
    column = [
        *chosen,
        *(c for c, s in zip(chosen, spans, strict=True) for _ in s),
    ]
    found = _in_batches(answers_of, asked)[np.arange(len(asked)), column]
    whole, without = found[: len(texts)], iter(found[len(texts) :])
    return [
        tuple(
            Part(text[start:end], float(probability - next(without)))
            for start, end in some
        )
        for text, some, probability in zip(texts, spans, whole, strict=True)
    ]


def parts_of(text: str, most: int) -> list[tuple[int, int]]:
    """(start, end) of each word, or of as many in a row as make `most`."""
    words = [match.span() for match in WORD.finditer(text)]
    step = max(1, -(-len(words) // most))
    groups = [words[i : i + step] for i in range(0, len(words), step)]
    return [(group[0][0], group[-1][1]) for group in groups]


def _in_batches(answers_of: Callable, texts: list[str]) -> np.ndarray:
    """Answers to all, those of about one length together.

    What a batch costs, its longest text decides.
    """
    order = np.argsort([len(text) for text in texts], kind="stable")
    batches = [
        order[start : start + AT_ONCE]
        for start in range(0, len(order), AT_ONCE)
    ]
    rows = [answers_of([texts[i] for i in batch]) for batch in batches]
    if not rows:
        return np.zeros((0, 1))
    answers = np.concatenate(rows)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return answers[back]
