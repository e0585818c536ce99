"""comparison: the row of what cannot be read, beside those that can be."""

import types

import numpy as np
import pytest

from tl_keras.errors import NotPublishedError
from tl_keras.exports.comparison import Comparison
from tl_keras.tasks.multiclass.differs import ClassDiffers

NAMES = ("ape", "bee")
LIKELY = np.array([[0.75, 0.25], [0.25, 0.75]])
BAD = 2
QUESTIONS = types.SimpleNamespace(
    bad=BAD, good=lambda rows: [row for row in rows if row != BAD],
    batch=lambda rows: rows,
)  # fmt: skip
# Two examples, and one that no server can read.
ANSWER = {
    "probabilities": np.vstack([LIKELY, [[0.0, 0.0]]]),
    "classes": np.array([[b"ape", b"bee"], [b"bee", b"ape"], [b"", b""]]),
    "scores": np.array([[0.75, 0.25], [0.75, 0.25], [0.0, 0.0]]),
    "status": np.array([b"", b"", b"no picture"]),
}


def compare(**changes) -> Comparison:
    comparison = Comparison(
        QUESTIONS, lambda rows: {"probabilities": LIKELY[rows]},
        ClassDiffers(NAMES),
    )  # fmt: skip
    comparison.compare("a loader", "bytes", [0, 1, BAD], ANSWER | changes)
    return comparison


def test_a_blank_row_with_a_status_is_as_it_should_be():
    assert compare().worst[0] == 0


@pytest.mark.parametrize(
    "told", [[b"", b"", b""], [b"", b"why", b"no picture"]]
)
def test_a_status_of_another_row_is_refused(told):
    with pytest.raises(NotPublishedError, match="says status"):
        compare(status=np.array(told))


@pytest.mark.parametrize(
    ("name", "value"),
    [("probabilities", 0.5), ("scores", 0.5), ("classes", b"ape")],
)
def test_an_answer_for_what_cannot_be_read_is_refused(name, value):
    changed = ANSWER[name].copy()
    changed[BAD, 0] = value
    with pytest.raises(NotPublishedError, match="answers for an example that"):
        compare(**{name: changed})
