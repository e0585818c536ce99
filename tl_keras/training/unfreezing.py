"""A fine-tune as several phases, each of which unfreezes more.

In: a phase, and layers. Out: phases.
"""

import dataclasses
from collections.abc import Sequence

from tl_keras.training.phase import Phase


def gradual(phase: Phase, stages: Sequence[str]) -> list[Phase]:
    """A fine-tune that unfreezes stage by stage: its epochs, shared out.

    Args:
        phase: that is divided; its `unfreeze_from` is not read.
        stages: layers to unfreeze from, one a phase, ever deeper, as of
            `strategies.unfreezing_stages`.

    Returns:
        A phase for each; the later ones have what epochs do not divide.

    Raises:
        ValueError: fewer epochs than stages, or a strategy of its own.

    Example:
        stages = unfreezing_stages(model, "block4", 2)
        phases = [head, *gradual(Phase("tune", 10, 1e-4), stages)]
    """
    if phase.strategy is not None:
        raise ValueError(
            f"phase {phase.name}: expected no strategy, since stages say what "
            "is unfrozen"
        )
    if len(stages) == 1:
        return [dataclasses.replace(phase, unfreeze_from=stages[0])]
    if phase.epochs < len(stages):
        raise ValueError(
            f"phase {phase.name}: {phase.epochs} epochs for {len(stages)} "
            "stages; expected one or more for each"
        )
    ends = [phase.epochs * i // len(stages) for i in range(len(stages) + 1)]
    return [
        dataclasses.replace(
            phase,
            name=f"{phase.name}_{number + 1}",
            epochs=ends[number + 1] - ends[number],
            unfreeze_from=stage,
        )
        for number, stage in enumerate(stages)
    ]
