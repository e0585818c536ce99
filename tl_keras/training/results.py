"""What comes of a phase, and of all of them.

    fit = fit_phases(model, phases, train, val)
    fit.phases[fit.kept].best_epoch, fit.history

In: nothing; these are values. Out: what training hands on.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tl_keras.summaries import Summarized
from tl_keras.training.phase import Phase


@dataclasses.dataclass(frozen=True, repr=False)
class PhaseResult(Summarized):
    """What came of a phase.

    Attributes:
        phase: as it was asked for.
        first_epoch, last_epoch: numbers from 1, in the count of all phases.
        best_epoch: the epoch whose weights are kept for this phase.
        best_logs: losses and metrics there.
        best_variables: those weights, in the order of `model.variables`.
        trainable_parameters: how many numbers trained.
        seconds: wall time of the fit, validation included.
        out_of_fold: of a head that was solved, see `LinearProbe`.
        waiting: share of its epochs' training that waited for data, 0 to 1;
            None for a head that was solved.
        share: of the way from where the phase began to its best epoch, that
            of the kept weights; 0 keeps what it began with, None where
            nothing between was tried.
        gain: how sure it is that they are better on validation than what it
            began with, see `interpolation.paired_gain`; None as `share`.
    """

    phase: Phase
    first_epoch: int
    last_epoch: int
    best_epoch: int
    best_logs: dict
    best_variables: list[np.ndarray]
    trainable_parameters: int = 0
    seconds: float = 0.0
    out_of_fold: np.ndarray | None = None
    waiting: float | None = None
    share: float | None = None
    gain: dict | None = None

    def summary(self) -> str:
        """Its epochs, and what the best one gave on validation."""
        told = [
            f"{name} {value:.4f}"
            for name, value in self.best_logs.items()
            if name in ("val_loss", "val_accuracy", "val_map", "val_mae")
        ]
        epochs = f"epochs {self.first_epoch} to {self.last_epoch}"
        best = f"best {self.best_epoch}"
        return ", ".join([repr(self.phase.name), epochs, best, *told])


@dataclasses.dataclass(frozen=True, repr=False)
class FitResult(Summarized):
    """What `fit_phases` gives back.

    Attributes:
        phases: one result each, in order.
        kept: index of the phase whose weights the model holds now.
        history: one dictionary an epoch: phase, epoch, losses, metrics,
            learning rate; in that of a phase's best epoch `share`, if any.
    """

    phases: list[PhaseResult]
    kept: int
    history: list[dict]

    def summary(self) -> str:
        """Each phase, and which is kept."""
        kept = self.phases[self.kept].phase.name
        return "; ".join(
            [*map(PhaseResult.summary, self.phases), f"kept {kept!r}"]
        )

    def summary_rows(self) -> list[Sequence]:
        """The best epoch of each phase."""
        names = ("phase", "epoch", "loss", "val_loss", "val_accuracy")
        shown = [row for row in self.history if row["epoch"] in self._best()]
        return [names, *([_short(r.get(n, "")) for n in names] for r in shown)]

    def _best(self) -> set[int]:
        return {result.best_epoch for result in self.phases}


def _short(value) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
