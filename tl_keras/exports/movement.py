"""How far rounding alone moves a model's answers, measured on the model.

    movement = measure(reference, batch, differs)
    movement.exact, movement.here, movement.moved

In: a model and golden examples. Out: the same examples' answers held against
each other: in other batches, with numbers moved by less than any example's
noise, and as this device and precision give them against exact ones.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tl_keras.exports.comparison import TOLERANCE
from tl_keras.exports.fresh_process import BATCH
from tl_keras.exports.reference import Reference
from tl_keras.inputs.input import Tensors
from tl_keras.tasks.difference import Differs, largest

# Inputs are moved by this share. Sixteen units of float32's rounding: what is
# smooth moves by as much, and what rounds inside falls to the other side in
# some places.
NUDGE = 2.0**-20
# Two ways to compute the same are each so far from a third.
SPREAD = 4
# A few examples' movement says little of thousands', and two devices' answers
# may err to two sides: what is beyond ten times as much is not rounding.
FAR = 10
# Nudges of the size to which operations may round inside: TF32 is about 2^-11,
# bfloat16 about 2^-8, and coarser ones nobody computes with.
LADDER = tuple(2.0**-power for power in (17, 14, 11, 8))


@dataclasses.dataclass(frozen=True)
class Movement:
    """A model's own movement; differences as `Difference.rows` has them.

    Attributes:
        exact: of its answers in float32 on the CPU: 1e-7 or so, and more
            where its own operations round inside.
        here: of its answers on this device in this precision.
        moved: the latter as `Difference.moved`, by which ties are told: of
            a class, the largest difference of a probability's logarithm.
    """

    exact: float
    here: float
    moved: float

    @property
    def tolerance(self) -> float:
        """What an export may differ by where both compute exactly."""
        return max(TOLERANCE, SPREAD * self.exact)

    @property
    def far(self) -> float:
        """What it may differ by on this device."""
        return FAR * max(self.tolerance, self.here)

    def or_more(self, other: "Movement") -> "Movement":
        """The larger of two, each by each."""
        pairs = zip(
            dataclasses.astuple(self), dataclasses.astuple(other), strict=True
        )
        return Movement(*map(max, pairs))


STILL = Movement(0.0, 0.0, 0.0)


def measure(
    reference: Reference,
    batch: Tensors,
    differs: Differs,
    exact: Callable[[Sequence[int]], dict] | None = None,
) -> Movement:
    """Asks a model a few examples in several ways.

    Args:
        reference: the model.
        batch: what the model takes, arrays (n, ...).
        differs: the task's comparison of answers.
        exact: rows of the batch -> exact answers to a batch of them, where
            some are known.

    Returns:
        How far rounding moves the answers to them.
    """
    rows = range(len(tf.nest.flatten(batch)[0]))
    exact = exact or (lambda rows: reference.exact(_taken(batch, rows)))
    whole, alone = exact(rows), [exact([row]) for row in rows]
    pairs = [(_rows(whole, [row]), alone[row]) for row in rows]
    beside = nudged(batch)
    if beside is batch:  # Token ids cannot be moved by a little; weights can.
        pairs.append((reference.rounded_otherwise(batch), whole))
    else:
        pairs.append((reference.exact(beside), whole))
    by_exact = max(_apart(differs, *pair) for pair in pairs)
    if reference.exact_here:
        moved = max(_moved(differs, *pair) for pair in pairs)
        return Movement(by_exact, by_exact, moved)
    here = [
        (reference.here(_taken(batch, [0])), alone[0]),
        (_many(reference, batch), whole),
    ]
    by_device = max(_apart(differs, *pair) for pair in here)
    moved = max(_moved(differs, *pair) for pair in here)
    return Movement(by_exact, max(by_exact, by_device), moved)


def nudged(
    batch: Tensors, share: float = NUDGE, *, whole: bool = False
) -> Tensors:
    """Inputs a little larger or smaller, the same ones each time.

    Args:
        batch: arrays (n, ..., channels); whole numbers stay as they are.
        share: by which.
        whole: an example's channel as one, which no average over places
            evens out, as little as it does where a weight is rounded.

    Returns:
        Arrays of the same shapes and types; `batch` itself where all of it is
        whole numbers.
    """
    if not any(
        np.issubdtype(np.asarray(array).dtype, np.floating)
        for array in tf.nest.flatten(batch)
    ):
        return batch

    def moved(array: np.ndarray) -> np.ndarray:
        if not np.issubdtype(array.dtype, np.floating):
            return array
        count, *places, channels = array.shape
        places = [1] * len(places) if whole else places
        shape = (count, *places, channels)
        signs = np.random.default_rng(0).choice([-share, share], shape)
        return (array * (1 + signs)).astype(array.dtype)

    return tf.nest.map_structure(moved, batch)


def rounding_inside(
    reference: Reference, batch: Tensors, differs: Differs
) -> Movement:
    """The movement by operations of the model's own that round.

    What is smooth moves in proportion to a nudge. What rounds inside moves by
    more, as a nudge below the unit it rounds to moves a few values by a whole
    unit; from nudges of that unit on it is in proportion again. So the unit is
    found, and how far answers move where each value is rounded otherwise, as
    other kernels or folded weights would have it.

    Args:
        reference: the model.
        batch: what the model takes, arrays (n, ...).
        differs: the task's comparison of answers.

    Returns:
        As `exact` what a few values do that fall to the other side, SPREAD of
        which are tolerated; as `here` and `moved` what all of them do. STILL
        where nothing rounds inside.
    """
    whole = reference.exact(batch)
    found = [
        reference.exact(nudged(batch, share, whole=True)) for share in LADDER
    ]
    steepness = [
        _apart(differs, answers, whole) / share
        for answers, share in zip(found, LADDER, strict=True)
    ]
    units = [i for i, s in enumerate(steepness) if s > 2 * steepness[-1]]
    if not units:
        return STILL
    few, unit = found[min(units)], found[max(units) + 1]
    return Movement(
        _apart(differs, few, whole) / SPREAD,
        _apart(differs, unit, whole),
        _moved(differs, unit, whole),
    )


def _taken(batch: Tensors, rows) -> Tensors:
    return tf.nest.map_structure(lambda array: array[list(rows)], batch)


def _many(reference: Reference, batch: Tensors) -> dict:
    """The examples in a batch of the size that a split is asked in.

    On a GPU alone, whose kernels depend on it, and which has them ready from
    the evaluation; on a CPU it would only take longer.
    """
    count = len(tf.nest.flatten(batch)[0])
    if tf.config.get_visible_devices("GPU"):
        batch = _taken(batch, np.arange(max(BATCH, count)) % count)
    return _rows(reference.here(batch), range(count))


def _rows(answers: dict, rows) -> dict:
    return {what: value[list(rows)] for what, value in answers.items()}


def _apart(differs: Differs, found: dict, want: dict) -> float:
    scale = max(1.0, float(np.abs(want["features"]).max()))
    features = largest(found["features"], want["features"]).max() / scale
    return float(max(features, differs(want, found).rows.max()))


def _moved(differs: Differs, found: dict, want: dict) -> float:
    return float(differs(want, found).moved.max())
