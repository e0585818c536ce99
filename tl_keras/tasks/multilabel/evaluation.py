"""A whole split of several labels an example -> metrics, one row a label.

    found = count(probabilities, targets, names, thresholds)
    found.metrics["map"], found.metrics["per_label"]["cat"]["ap"]

In: probabilities and targets (n, labels). Out: a `LabelEvaluation`. Average
precision asks how labels are ranked, whatever the thresholds; F1, Hamming and
exact match ask what is given above them.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.special

from tl_keras.summaries import Summarized, with_interval
from tl_keras.tasks.bootstrap import interval, resampled
from tl_keras.tasks.multiclass.calibration import reliability
from tl_keras.tasks.multiclass.evaluation import wilson_interval

MAX_COMPANY = 8  # pairs of labels that are confused in company


@dataclasses.dataclass(frozen=True, repr=False)
class LabelEvaluation(Summarized):
    """What a model did on a split; row i is example i.

    Attributes:
        answers: probabilities, float64 (n, labels).
        targets: (n, labels) of 0 and 1.
        given: bool (n, labels), what is above its threshold.
        draws: mAP of each draw of the bootstrap.
        metrics: examples, loss (nats a label), map, map_interval, macro_f1,
            micro_f1, macro_f1_interval, micro_f1_interval, exact_match,
            exact_match_interval, hamming (share of wrong cells), and
            per_label: ap, ap_interval, precision, recall, f1, support,
            threshold, ece by name; ap is None of a label that is never there.
    """

    answers: np.ndarray
    targets: np.ndarray
    given: np.ndarray
    draws: np.ndarray
    metrics: dict

    def summary(self) -> str:
        """mAP and macro-F1 with their intervals."""
        numbers = [
            f"{n} {with_interval(self.metrics, n)}" for n in ("map", "macro_f1")
        ]
        return f"{self.metrics['examples']:,} examples, {', '.join(numbers)}"


def count_logits(
    logits: np.ndarray,
    targets: np.ndarray,
    names: Sequence[str],
    thresholds: np.ndarray,
) -> LabelEvaluation:
    """As `count`, of logits (n, labels)."""
    return count(
        scipy.special.expit(logits.astype(np.float64)),
        targets,
        names,
        thresholds,
    )


def count(
    probabilities: np.ndarray,
    targets: np.ndarray,
    names: Sequence[str],
    thresholds: np.ndarray,
) -> LabelEvaluation:
    """Metrics of probabilities against targets.

    Args:
        probabilities: (n, labels), 0 to 1, n of 1 or more.
        targets: (n, labels) of 0 and 1.
        names: of the labels.
        thresholds: (labels,), from where on a label is given.

    Returns:
        `LabelEvaluation`.

    Raises:
        ValueError: shapes that do not match, or NaN.
    """
    likely, truth = _fitting(probabilities, targets, names)
    # In float32, as the exported graph compares them.
    given = likely.astype(np.float32) >= np.asarray(thresholds, np.float32)
    precision = average_precisions(likely, truth, np.ones((1, len(truth))))[0]
    per_draw, f1_draws = _drawn(likely, truth, given)
    with np.errstate(invalid="ignore"):
        draws = mean_over_labels(per_draw)
    cells = _cells(truth, given, np.ones((1, len(truth))))[0]
    f1 = _f1(cells)
    exact = int((given == truth).all(axis=1).sum())
    metrics = {
        "examples": len(truth),
        "loss": float(_cross_entropy(likely, truth)),
        "map": float(mean_over_labels(precision[None])[0]),
        "map_interval": interval(draws),
        "macro_f1": float(f1.mean()),
        "macro_f1_interval": interval(f1_draws[0]),
        "micro_f1": float(_f1(cells.sum(axis=0))),
        "micro_f1_interval": interval(f1_draws[1]),
        "exact_match": exact / len(truth),
        "exact_match_interval": wilson_interval(exact, len(truth)),
        "hamming": float((given != truth).mean()),
        "per_label": {
            name: _of_label(
                likely[:, i], truth[:, i], given[:, i], float(thresholds[i]),
                precision[i], per_draw[:, i],
            )
            for i, name in enumerate(names)
        },
    }  # fmt: skip
    return LabelEvaluation(likely, truth.astype(int), given, draws, metrics)


def _fitting(probabilities, targets, names) -> tuple[np.ndarray, np.ndarray]:
    """(float64 (n, labels), bool (n, labels)), where they fit each other."""
    likely = np.asarray(probabilities, np.float64)
    truth = np.asarray(targets).astype(bool)
    expected = (len(truth), len(names))
    if likely.shape != expected or truth.shape != expected:
        raise ValueError(
            f"expected answers and targets of shape {expected}, received "
            f"{likely.shape} and {truth.shape}"
        )
    if np.isnan(likely).any():
        raise ValueError("the model's outputs hold NaN")
    return likely, truth


def _of_label(likely, truth, given, threshold, precision, draws) -> dict:
    hits = int((given & truth).sum())
    support, said = int(truth.sum()), int(given.sum())
    known = support > 0
    return {
        "ap": float(precision) if known else None,
        "ap_interval": interval(draws) if known else None,
        "precision": hits / said if said else 0.0,
        "recall": hits / support if support else 0.0,
        "f1": 2 * hits / (support + said) if support + said else 0.0,
        "support": support,
        "threshold": round(threshold, 6),
        "ece": reliability(likely, truth)[1],
    }


def average_precisions(
    likely: np.ndarray, truth: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Average precision of each label, in each of several draws.

    As scikit-learn's `average_precision_score`, whose sample weights these
    counts are: examples that are alike are taken together.

    Args:
        likely: (n, labels).
        truth: bool (n, labels).
        counts: (draws, n), how often each example is drawn.

    Returns:
        float64 (draws, labels); NaN where a draw has no example of a label.
    """
    found = np.empty((len(counts), likely.shape[1]))
    for label in range(likely.shape[1]):
        order = np.argsort(-likely[:, label], kind="stable")
        ranked = likely[order, label]
        drawn = counts[:, order]
        hits = drawn * truth[order, label]
        # The last place of those that are alike.
        last = np.searchsorted(-ranked, -ranked, side="right") - 1
        so_far = np.cumsum(hits, axis=1)[:, last]
        seen = np.maximum(np.cumsum(drawn, axis=1)[:, last], 1e-300)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[:, label] = (hits * so_far / seen).sum(1) / hits.sum(1)
    return found


def mean_over_labels(precisions: np.ndarray) -> np.ndarray:
    """mAP of each draw: over the labels that it has; 0 where it has none."""
    known = ~np.isnan(precisions)
    sums = np.where(known, precisions, 0).sum(axis=1)
    return sums / np.maximum(known.sum(axis=1), 1)


def _drawn(likely, truth, given) -> tuple[np.ndarray, np.ndarray]:
    """Average precisions (draws, labels); macro and micro F1 (2, draws)."""
    precisions, scores = [], []
    for counts in resampled(len(truth)):
        precisions.append(average_precisions(likely, truth, counts))
        cells = _cells(truth, given, counts)
        scores.append([_f1(cells).mean(axis=1), _f1(cells.sum(axis=1))])
    return np.concatenate(precisions), np.concatenate(scores, axis=1)


def _cells(truth, given, counts) -> np.ndarray:
    """(draws, labels, 3): right, given, there."""
    return np.stack(
        [counts @ x.astype(np.float64) for x in (truth & given, given, truth)],
        axis=-1,
    )


def _f1(cells: np.ndarray) -> np.ndarray:
    """Of (..., 3); 0 where nothing is there and nothing given."""
    members = cells[..., 1] + cells[..., 2]
    return 2 * cells[..., 0] / np.maximum(members, 1)


def _cross_entropy(likely: np.ndarray, truth: np.ndarray) -> float:
    tiny = np.finfo(np.float64).tiny
    of_truth = np.where(truth, likely, 1 - likely)
    return -np.log(np.maximum(of_truth, tiny)).mean()


def confused_company(
    truth: np.ndarray, given: np.ndarray, names: Sequence[str]
) -> list[dict]:
    """Labels that are given where another stands, the most frequent first.

    Args:
        truth, given: bool (n, labels).
        names: of the labels.

    Returns:
        `missing` and `instead`: names; `count`: examples where the one is
        left out and the other given wrongly; and `of`, where the first stands.
    """
    left_out, wrong = truth & ~given, given & ~truth
    counts = left_out.T.astype(int) @ wrong.astype(int)
    order = np.argsort(-counts, axis=None, kind="stable")[:MAX_COMPANY]
    pairs = np.stack(np.unravel_index(order, counts.shape), axis=1)
    return [
        {
            "missing": names[a],
            "instead": names[b],
            "count": int(counts[a, b]),
            "of": int(truth[:, a].sum()),
        }
        for a, b in pairs
        if counts[a, b]
    ]
