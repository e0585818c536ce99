"""How long a run will take, from one pass that is measured.

    told = estimate(prepared)
    told.seconds, told.parts["fine_tune"]

In: what was prepared, before its first step. Out: seconds by part. A batch is
read and goes through the network twice; all else is reckoned from that, so that
it is an estimate: a step of training is three passes of what trains.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple

from tl_keras.jobs.preparation import MAX_PROBE_WORK, Prepared, done_once
from tl_keras.networks import LOGITS, inference
from tl_keras.progress import in_words
from tl_keras.search import SearchPlan
from tl_keras.training import Phase

MEASURED = 16  # examples in the batch
# Forward, and twice that backward.
PASSES_OF_A_STEP = 3
# What two cores take to solve `MAX_PROBE_WORK`.
SOLVING_SECONDS = 120.0
# To write a SavedModel, ask it in fresh processes and make the page: 20 s of a
# small network, 50 s of a MobileNetV2, on two busy cores (2026-11-27).
FIXED_SECONDS = 35.0


class Estimate(NamedTuple):
    """Seconds that a run is going to take.

    Attributes:
        parts: by what they are for.
        example: of one example through all of the network.
        measured: examples in the pass that was measured.
        if_poor: seconds more where the frozen head turns out to be poor.
    """

    parts: Mapping[str, float]
    example: float
    measured: int
    if_poor: float = 0.0

    @property
    def seconds(self) -> float:
        """Of all parts."""
        return sum(self.parts.values())

    def describe(self) -> str:
        """In a line, with what it comes from."""
        parts = ", ".join(
            f"{name} {rounded(s)}" for name, s in self.parts.items()
        )
        up_to = ""
        if self.if_poor:
            most = rounded(self.seconds + self.if_poor)
            up_to = f", up to {most} where the frozen head is poor,"
        return (
            f"time: about {rounded(self.seconds)}{up_to} on this machine, an "
            f"estimate from a pass of {self.measured} that took "
            f"{1000 * self.example:.1f} ms each ({parts})"
        )


def rounded(seconds: float) -> str:
    """ "5 s", "40 s", "12 min": no more digits than an estimate has."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 90:
        return f"{10 * round(seconds / 10)} s"
    return in_words(60 * round(seconds / 60)).removesuffix(" 0 s")


def estimate(
    prepared: Prepared,
    search: SearchPlan | None = None,
    if_poor: SearchPlan | None = None,
) -> Estimate:
    """Measures a pass and reckons the rest; takes seconds, changes nothing.

    Args:
        prepared: the run; its model is asked one batch.
        search: what is tried in the place of the fine-tune, if anything.
        if_poor: what is tried instead where the frozen head is poor.

    Returns:
        Seconds, by parts.
    """
    labelled, config = prepared.labelled, prepared.config
    read, forward, measured = _measure(prepared)
    seen = len(labelled.train) * max(1, config.stored_views())
    judged = len(labelled.val)
    counts = (len(labelled.train), judged, len(labelled.test))
    parts = {"reading": 2 * read * sum(counts)}
    shares = [
        (cut or {"share": 0.0})["share"]
        for cut in (done_once(prepared, phase) for phase in prepared.phases)
    ]
    parts["features"] = forward * max(shares) * (seen + judged)
    for phase, share in zip(prepared.phases, shares, strict=True):
        left = forward * (1 - share)
        parts[phase.name] = _of_phase(prepared, phase, left, seen, judged)
    instead = sum(parts[phase.name] for phase in prepared.phases[1:])
    if search is not None:
        for phase in prepared.phases[1:]:
            del parts[phase.name]
        instead = parts["search"] = search.predicted
    more = max(0.0, if_poor.predicted - instead) if if_poor else 0.0
    parts["evaluation"] = forward * len(labelled.test) * len(prepared.phases)
    parts["export and page"] = FIXED_SECONDS + forward * len(labelled.test)
    if config.compare_scratch:
        epochs = config.head_epochs + config.fine_tune_epochs
        step = forward * (PASSES_OF_A_STEP * len(labelled.train) + judged)
        parts["from random weights"] = epochs * step
    return Estimate(parts, forward, measured, more)


def _of_phase(
    prepared: Prepared, phase: Phase, left: float, seen: int, judged: int
) -> float:
    """Seconds of a phase, with `left` for an example past what is frozen."""
    if phase.solver == "lbfgs":
        width, classes = prepared.model.get_layer(LOGITS).kernel.shape
        work = seen * width * classes / MAX_PROBE_WORK
        return SOLVING_SECONDS * min(1.0, work) + left * (seen + judged)
    step = PASSES_OF_A_STEP * len(prepared.labelled.train)
    return phase.epochs * left * (step + judged)


def _measure(prepared: Prepared) -> tuple[float, float, int]:
    """(seconds to read an example, seconds of its pass, how many)."""
    train = prepared.labelled.train
    count = min(MEASURED, len(train))
    run = inference(prepared.model)

    def batch_of():
        contents = [train.examples.read(place) for place in range(count)]
        return train.decoding.batch(contents)

    run(batch_of())  # Traces both.
    began = time.perf_counter()
    batch = batch_of()
    read = time.perf_counter() - began
    began = time.perf_counter()
    run(batch)
    return read / count, (time.perf_counter() - began) / count, count


def settings_given(prepared: Prepared) -> list[str]:
    """The settings that are not as they are by default, a flag each."""
    config = prepared.config
    return [
        line
        for line in config.to_flags().splitlines()
        if config.given(line.removeprefix("--").partition("=")[0])
    ]
