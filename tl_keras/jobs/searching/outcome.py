"""What a search found, as the rest of a run knows a fit.

    fit = fit_of(prepared, found, fits, seconds)
    final = final_of(prepared, found, fit)

In: what folds found. Out: phases with their weights, and what all labels say
of them, so that evaluation, page and export need not know of searches.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.special

from tl_keras.jobs.final_fit import FinalFit, may_teach
from tl_keras.jobs.preparation import Prepared
from tl_keras.jobs.searching.known import known_of
from tl_keras.search import FoldFits, Found
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.training import FitResult, PhaseResult


def fit_of(
    prepared: Prepared, found: Found, fits: FoldFits, seconds: float
) -> FitResult:
    """The search as phases have it: the head, then the best candidate.

    Args:
        prepared: the run.
        found: what the folds found.
        fits: those that found it.
        seconds: that all of it took.

    Returns:
        A fit of two phases; the second is kept where its share is above 0.
    """
    heads = _Unseen.of(prepared, fits, found.at_start, found)
    best = _Unseen.of(prepared, fits, found.standing.outputs, found)
    head = PhaseResult(
        phase=fits.head,
        first_epoch=1,
        last_epoch=1,
        best_epoch=1,
        best_logs=heads.logs,
        best_variables=found.start,
        trainable_parameters=fits.head.adapts_by().count(fits.model),
        seconds=found.tried[0].seconds,
        out_of_fold=heads.answers,
    )
    phase, last = found.best.phase, 1 + max(1, len(found.rows))
    tuned = PhaseResult(
        phase=phase,
        first_epoch=2,
        last_epoch=last,
        best_epoch=last,
        best_logs={**(found.rows or [{}])[-1], **best.logs},
        best_variables=found.variables,
        trainable_parameters=phase.adapts_by().count(fits.model),
        seconds=seconds,
        out_of_fold=best.answers,
        share=found.standing.share,
        gain=found.standing.gain,
    )
    rows = [_row_of(head), *_rows_of(tuned, found.rows, best.logs)]
    return FitResult([head, tuned], int(found.standing.share > 0), rows)


class _Unseen(NamedTuple):
    """What folds say of examples that they had not seen.

    Attributes:
        logs: of all of them, as validation has them.
        answers: for training; None where no head was solved by folds.
    """

    logs: dict
    answers: np.ndarray | None

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        fits: FoldFits,
        outputs: np.ndarray,
        found: Found,
    ) -> "_Unseen":
        """Of outputs for all examples, in their order."""
        task = fits.trainer.objective.predicts()
        targets = fits.known.labelled.labels
        named = task.logs(outputs, targets)
        logs = {f"val_{name}": value for name, value in named.items()}
        answers = None
        if found.solved.out_of_fold is not None:
            train = outputs[: len(prepared.labelled.train)]
            answers = np.asarray(task.activation("answers")(train))
        return cls(logs | task.epoch_logs(outputs, targets), answers)


def _row_of(head: PhaseResult) -> dict:
    """Of history, for a head that was solved."""
    return {
        "phase": "head", "epoch": 1, **head.best_logs, "learning_rate": 0.0,
    }  # fmt: skip


def _rows_of(
    tuned: PhaseResult, rows: Sequence[Mapping], logs: Mapping
) -> list[dict]:
    """Of history, the last one with what the kept weights gave."""
    # Of one that diverged there are none.
    rows = [dict(row) for row in rows] or [
        {"phase": tuned.phase.name, "epoch": tuned.first_epoch}
    ]
    rows[-1] |= {**logs, "share": tuned.share}
    return rows


def final_of(prepared: Prepared, found: Found, fit: FitResult) -> FinalFit:
    """With what confidence is judged by, where validation has taught too.

    Args:
        prepared: the run.
        found: what the folds found.
        fit: of `fit_of`.

    Returns:
        A `FinalFit`; with answers for all labels by folds that had not seen
        them where those of validation are among them.
    """
    if not may_teach(prepared):
        return FinalFit(fit)
    targets, outputs = known_of(prepared).labels, found.standing.outputs
    solved, wide = found.solved.out_of_fold, outputs.astype(np.float64)
    if not isinstance(prepared.task, Multiclass):
        return FinalFit(fit, wide, targets, confident=False)
    if found.standing.share or solved is None:
        logs = scipy.special.log_softmax(wide, axis=-1)
        return FinalFit(fit, logs, targets, confident=False)
    tiny = np.finfo(np.float32).tiny
    return FinalFit(fit, np.log(np.maximum(solved, tiny)), targets)
