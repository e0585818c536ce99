"""Examples of no class: a probability below which none is said.

    least = reject_below(probabilities, share=0.05)
    numbers = measure_rejection(probabilities, labels, of_none, least)

In: probabilities of examples to validate on. Out: the threshold under which so
many of them would be refused; and, where there are examples that are of no
class, how many of those it refuses. A network that has never seen such examples
answers them too, only less surely: how much less, the second function measures.

Reference: Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and
Out-of-Distribution Examples in Neural Networks", 2017.
"""

import numpy as np
from sklearn.metrics import roc_auc_score

from tl_keras.tasks.multiclass.evaluation import wilson_interval


def reject_below(
    probabilities: np.ndarray,
    share: float,
    of_none: np.ndarray | None = None,
) -> float:
    """The least probability of the best class with which it is said.

    Args:
        probabilities: (n, num_classes), n of 1 or more, of examples to
            validate on.
        share: of them that may be refused, above 0 and below 1.
        of_none: (m, num_classes), of examples of no class to validate on. The
            threshold then parts the two as well as it can, and refuses of
            those with a class at most `share`.

    Returns:
        From 0 to 1; examples below are refused, those at it are not.

    Raises:
        ValueError: a share out of range, or no examples.

    Example:
        least = reject_below(probabilities, 0.05)
        refused = new.max(axis=1) < least
    """
    if not 0 < share < 1:
        raise ValueError(f"share={share}: expected more than 0, less than 1")
    if not len(probabilities):
        raise ValueError("expected examples to validate on, received none")
    best = np.sort(probabilities.max(axis=1))
    # No more than the share is below; of few examples none is.
    highest = float(best[int(share * len(best))])
    if of_none is None or not len(of_none):
        return highest
    others = np.sort(of_none.max(axis=1))
    # Between two values any threshold does the same: the upper one is taken.
    tried = np.unique([*best, *others, highest])
    tried = tried[tried <= highest]
    refused = np.searchsorted(others, tried) / len(others)
    kept = 1 - np.searchsorted(best, tried) / len(best)
    return float(tried[np.argmax(refused + kept)])


def measure_rejection(
    probabilities: np.ndarray,
    labels: np.ndarray,
    of_none: np.ndarray,
    least: float,
) -> dict:
    """How well a threshold does on examples that nothing was chosen by.

    Args:
        probabilities: (n, num_classes), of examples with a class.
        labels: int (n,), theirs.
        of_none: (m, num_classes), of examples of no class; may be none.
        least: from `reject_below`.

    Returns:
        For metrics.json: `least`; `known` and `known_kept`, how many examples
        with a class there are and the share that is answered, with its 95 %
        interval; `accuracy_of_kept` (None where none is). Where there are
        examples of no class also `none`, `none_refused` with its interval,
        and `auroc`: how often one of them is less sure than one with a class.
    """
    best = probabilities.max(axis=1)
    kept = best >= least
    right = probabilities.argmax(axis=1) == labels
    found = {
        "least": least,
        "known": len(best),
        "known_kept": float(kept.mean()),
        "known_kept_interval": wilson_interval(int(kept.sum()), len(kept)),
        "accuracy_of_kept": float(right[kept].mean()) if kept.any() else None,
    }
    if not len(of_none):
        return found
    others = of_none.max(axis=1)
    refused = others < least
    truth = np.repeat([1, 0], [len(best), len(others)])
    return found | {
        "none": len(others),
        "none_refused": float(refused.mean()),
        "none_refused_interval": wilson_interval(
            int(refused.sum()), len(refused)
        ),
        "auroc": float(roc_auc_score(truth, np.concatenate([best, others]))),
    }


def rejection_words(found: dict) -> str:
    """What `measure_rejection` found, in a line for people."""
    words = (
        f"below {found['least']:.3f} no class is said: "
        f"{found['known_kept']:.1%} of {found['known']:,} with a class are "
        "answered"
    )
    if found["accuracy_of_kept"] is not None:
        words += f", {found['accuracy_of_kept']:.1%} of them right"
    if "none" in found:
        words += (
            f"; {found['none_refused']:.1%} of {found['none']:,} of no class "
            f"are refused (AUROC {found['auroc']:.3f})"
        )
    return words
