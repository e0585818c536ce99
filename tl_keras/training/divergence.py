"""Why a fit was lost: its steps, or a network that gives no numbers.

    raise divergence(model, "head", why, 1e-3, training=train, validation=val)

In: a model with the weights that a phase began with, and what it was fitted
to. Out: a `DivergedError` that names the examples to which it has no finite
answer before any step. A lower learning rate would not help there: a picture
of one color is divided by its deviation, or float16 ends at 65,504.
"""

from collections.abc import Sequence

import keras
import numpy as np

from tl_keras.errors import DivergedError
from tl_keras.networks import inference, inner_layers
from tl_keras.sources import EpochSource

MAX_NAMED = 3


def divergence(
    model: keras.Model,
    phase: str,
    why: str,
    learning_rate: float,
    **sources: EpochSource | None,
) -> DivergedError:
    """What to raise for a phase that was lost.

    Args:
        model: with the weights that the phase began with.
        phase: its name.
        why: what was not finite, and when.
        learning_rate: of the phase.
        sources: what it was fitted to, by what that is called.

    Returns:
        The error, to be raised.
    """
    for split, source in sources.items():
        if source is None:
            continue
        fine, ids = _answered(model, source)
        if not fine.all():
            return DivergedError(
                f"phase {phase}: before any step the network's answers to "
                + not_finite(fine, ids, f"{split} examples", model)
            )
    return DivergedError(
        f"phase {phase}: {why} - lower its learning rate ({learning_rate:g})"
    )


def not_finite(
    fine: np.ndarray, ids: Sequence[str] | None, many: str, model: keras.Model
) -> str:
    """Which examples have no numbers, what was expected and what to do.

    Args:
        fine: bool (n,), whether an example's numbers are finite; not all are.
        ids: n names; places are told without.
        many: what they are called.
        model: that gave the numbers.

    Returns:
        The end of a line.

    Example:
        not_finite(np.array([True, False]), ["a.png", "b.png"], "test pictures",
                   model)   # "1 of 2 test pictures (b.png) are not finite; ..."
    """
    places = np.flatnonzero(~fine)
    named = [
        str(ids[place]) if ids is not None else f"number {place + 1}"
        for place in places[:MAX_NAMED]
    ]
    more = ", ..." if len(places) > MAX_NAMED else ""
    if any(layer.compute_dtype == "float16" for layer in inner_layers(model)):
        remedy = (
            "float16 ends at 65,504: give --precision=mixed_bfloat16 or float32"
        )
    elif len(places) == len(fine):
        remedy = "see its weights, and which numbers it was made for"
    else:
        remedy = "leave these out, or give a network that can take them"
    return (
        f"{len(places):,} of {len(fine):,} {many} ({', '.join(named)}{more}) "
        f"are not finite; expected numbers - {remedy}"
    )


def _answered(
    model: keras.Model, source: EpochSource
) -> tuple[np.ndarray, Sequence[str] | None]:
    """Whether each answer is finite, and the examples' names if any."""
    run = inference(model)
    fine = [np.isfinite(run(batch)).all(-1) for batch, *_ in source.once()]
    labelled = getattr(source, "labelled", None)
    return np.concatenate(fine), labelled and labelled.examples.ids
