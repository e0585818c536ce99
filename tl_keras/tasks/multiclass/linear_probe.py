"""The linear probe: the head solved exactly, in seconds, with no learning rate.

In: pooled features of the training pictures, and their labels. Out: kernel and
bias of the Dense layer that gives the logits. Multinomial logistic regression
of scikit-learn on standardised features; the standardisation is folded into
the weights, so the head alone computes the same. A feature that hardly moves
is not blown up by it (`feature_scales`).

Reference: Kornblith, Shlens and Le, "Do Better ImageNet Models Transfer
Better?", 2019, for the method; Kumar and others, "Fine-Tuning can Distort
Pretrained Features and Underperform Out-of-Distribution", 2022, for starting a
fine-tune from it.
"""

import dataclasses
import warnings
from collections.abc import Sequence

import keras
import numpy as np
import scipy.special
import tensorflow as tf
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from tl_keras.networks import inference, ordered_nodes

# Inverse strengths of the L2 penalty, in scikit-learn's sense, tried from the
# strongest penalty on until the loss gets worse so many times in a row.
STRENGTHS = tuple(float(c) for c in np.logspace(-4, 1, 11))
WORSE_IN_A_ROW = 2
FOLDS = 5
FOLD_SEED = 0
# A feature that moves by less than this share of the liveliest is dead; of the
# others, this quantile is what a feature usually moves by.
DEAD, LIVELY = 1e-9, 0.9
LEAST_OF_USUAL, LEAST_OF_MEAN = 0.1, 0.01
# Where a class has a single example there is nothing to cross-validate on.
STRENGTH_WITHOUT_FOLDS = 0.1
# The choice of a strength needs no digits that the solution itself does. The
# limits keep weak features of many classes from taking minutes.
ROUGH = {"tol": 1e-4, "max_iter": 100}
EXACT = {"tol": 1e-8, "max_iter": 1000}


@dataclasses.dataclass(frozen=True)
class LinearProbe:
    """A solved head.

    Attributes:
        kernel: float32 (features, num_classes).
        bias: float32 (num_classes,).
        strength: the C that cross-validation chose.
        out_of_fold: float32 (pictures, num_classes), what each picture is
            taken for by a solution that it had no part in, the mean over its
            views; None where there was nothing to cross-validate on.
    """

    kernel: np.ndarray
    bias: np.ndarray
    strength: float
    out_of_fold: np.ndarray | None = None


def solve_probe(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    class_weights: Sequence[float] | None = None,
    views: int = 1,
    groups: Sequence[str] | None = None,
) -> LinearProbe:
    """Fits the head to pooled features.

    Args:
        features: (n, d), of training pictures only.
        labels: int (n,), 0 to num_classes - 1, each class at least once.
        class_weights: weight of each class in the loss.
        views: so many rows in a row show one picture; they stay together in
            the cross-validation.
        groups: what each picture belongs to (a patient, a speaker); those of
            one group stay together there too.

    Returns:
        `LinearProbe`; features @ kernel + bias are the logits.
    """
    wide = features.astype(np.float64)
    mean, scale = wide.mean(axis=0), feature_scales(wide)
    scaled = (wide - mean) / scale
    # The L2 penalty does not see a rotation, and the solution lies in the span
    # of the pictures: with fewer of them than features, that span is smaller.
    rotation = None
    if len(scaled) < scaled.shape[1]:
        left, singular, rotation = np.linalg.svd(scaled, full_matrices=False)
        scaled = left * singular
    weights = None if class_weights is None else dict(enumerate(class_weights))
    parts = _folds(labels, views, groups)
    strength, judged = _cross_validate(scaled, labels, weights, views, parts)
    solver = LogisticRegression(C=strength, class_weight=weights, **EXACT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        solver.fit(scaled, labels)
    coefficients, intercept = solver.coef_, solver.intercept_
    if rotation is not None:
        coefficients = coefficients @ rotation
    if len(coefficients) == 1:
        # Two classes: scikit-learn gives the difference of their logits.
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    kernel = (coefficients / scale).T
    bias = intercept - mean @ kernel
    return LinearProbe(
        kernel.astype(np.float32),
        bias.astype(np.float32),
        strength,
        judged,
    )


def feature_scales(features: np.ndarray) -> np.ndarray:
    """What each feature is divided by: its deviation, but never too little.

    A feature that is the same in all pictures but one, or that moves by
    rounding alone, says nothing; divided by its own deviation it would be as
    loud as any other, with a kernel that nothing bounds. Such a feature stays
    as quiet as it is beside the others: the least that one is divided by is a
    tenth of what the livelier ones move by. And it is a hundredth of its own
    mean, which float32 would else subtract with an error that shows.

    Args:
        features: float64 (n, d).

    Returns:
        float64 (d,), above 0.
    """
    moves = features.std(axis=0)
    alive = moves[moves > DEAD * moves.max(initial=0.0)]
    if not len(alive):
        return np.ones(features.shape[1])
    # Not the largest: a few huge ones shall not silence the rest.
    usual = np.quantile(alive, LIVELY, method="lower")
    least = np.maximum(
        LEAST_OF_USUAL * usual, LEAST_OF_MEAN * np.abs(features).mean(axis=0)
    )
    return np.maximum(moves, least)


def _cross_validate(
    scaled, labels, weights, views: int, folds: list[tuple]
) -> tuple[float, np.ndarray | None]:
    """(strength of least log-loss, out-of-fold probabilities under it).

    From the strongest penalty on, each solution starts from the one before,
    so that the weak penalties, whose solutions take longest, are tried only
    where they pay.
    """
    if not folds:
        return STRENGTH_WITHOUT_FOLDS, None
    rough = scaled.astype(np.float32)
    parts = [
        (rows, judged, LogisticRegression(
            class_weight=weights, warm_start=True, **ROUGH
        ))
        for rows, judged in folds
    ]  # fmt: skip
    each = None
    if weights is not None:
        each = np.array([weights[label] for label in labels])
    best, least, worse, kept = STRENGTHS[0], np.inf, 0, None
    for strength in STRENGTHS:
        likely = _judge(rough, labels, parts, strength)
        loss = log_loss(labels, likely, sample_weight=each)
        worse = 0 if loss < least else worse + 1
        if loss < least:
            best, least, kept = strength, loss, likely
        if worse == WORSE_IN_A_ROW:
            break
    of_pictures = kept.reshape(-1, views, kept.shape[-1]).mean(axis=1)
    return best, of_pictures.astype(np.float32)


def _judge(rough, labels, parts, strength: float) -> np.ndarray:
    """What each row is taken for by the fold that does not hold it."""
    likely = np.zeros((len(labels), labels.max() + 1))
    for rows, judged, solver in parts:
        solver.set_params(C=strength)
        with warnings.catch_warnings():
            # Rough on purpose: an unfinished solution is judged as it is.
            warnings.simplefilter("ignore", ConvergenceWarning)
            solver.fit(rough[rows], labels[rows])
        likely[judged] = solver.predict_proba(rough[judged])
    return likely / likely.sum(axis=-1, keepdims=True)


def _folds(
    labels: np.ndarray, views: int, groups: Sequence[str] | None
) -> list[tuple]:
    """(rows to fit, rows to judge) pairs; no picture or group is in both.

    None where a class would have nothing to fit on.
    """
    of_picture = labels[::views]
    given = np.arange(len(of_picture)) if groups is None else np.array(groups)
    least = min(
        len(np.unique(given[of_picture == label]))
        for label in np.unique(of_picture)
    )
    folds = min(FOLDS, least)
    if folds < 2:
        return []
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    cutter = kind(folds, shuffle=True, random_state=FOLD_SEED)

    def rows(pictures):
        return (pictures[:, None] * views + np.arange(views)).ravel()

    pairs = list(cutter.split(of_picture, of_picture, groups))
    classes = len(np.unique(of_picture))
    if any(len(np.unique(of_picture[fit])) < classes for fit, _ in pairs):
        return []
    return [(rows(fit), rows(judge)) for fit, judge in pairs]


def probe_bytes(rows: int, width: int) -> int:
    """Memory that `solve_probe` takes at its height, in bytes.

    In float64: the scaled features, scikit-learn's copy of them, and those of
    a fold, besides the float32 ones it is given.
    """
    return rows * width * (3 * 8 + 4)


def pooled_features(
    model: keras.Model, data: tf.data.Dataset
) -> tuple[np.ndarray, np.ndarray]:
    """What the last Dense layer of a model is given, for all batches.

    Returns:
        features (n, d) and labels (n,), in the order of the data.
    """
    given = keras.Model(
        model.inputs[0], ordered_nodes(model)[-1].input_tensors[0]
    )
    run = inference(given)
    rows, labels = [], []
    for batch, batch_labels in data:
        rows.append(run(batch))
        labels.append(batch_labels.numpy())
    return np.concatenate(rows), np.concatenate(labels)


def cross_entropy_and_accuracy(
    probe: LinearProbe, features: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    """What Keras would log as loss and metrics of an epoch."""
    logits = features.astype(np.float64) @ probe.kernel + probe.bias
    log_p = scipy.special.log_softmax(logits, axis=-1)
    loss = float(-log_p[np.arange(len(labels)), labels].mean())
    accuracy = float((logits.argmax(-1) == labels).mean())
    return {"loss": loss, "accuracy": accuracy, "cross_entropy": loss}
