"""The linear probe: the head solved exactly, in seconds, with no learning rate.

In: pooled features of the training pictures, and their labels. Out: kernel and
bias of the Dense layer that gives the logits. Multinomial logistic regression
of scikit-learn on centred, scaled features (`feature_scales`); all that is
done to them is folded into the weights, so the head alone computes the same.

Few labels: one scale for all features keeps what the network says of how much
each matters, which a deviation out of ten pictures does not know. The strength
of the penalty is chosen by the loss after temperature, out of fold. Under the
strongest penalty the head points from the mean of all to the mean of each
class, a nearest class mean but for its confidence, which the temperature then
gives: so that prior is among the candidates.

Reference: Kornblith, Shlens and Le, "Do Better ImageNet Models Transfer
Better?", 2019, for the method; Kumar and others, "Fine-Tuning can Distort
Pretrained Features and Underperform Out-of-Distribution", 2022, for starting a
fine-tune from it; Platt, "Probabilistic Outputs for Support Vector Machines",
1999, for the targets of the temperature.
"""

import dataclasses
import hashlib
import warnings
from collections.abc import Sequence

import numpy as np
import scipy.special
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from tl_keras.tasks.multiclass.cross_validation import (
    MANY_CLASSES,
    cross_validate,
    cut_folds,
    labels_a_class,
)
from tl_keras.tasks.multiclass.feature_scaling import SCALINGS, ScaledFeatures

# Up to so many labels a class the folds are too small to choose between them.
FEW_LABELS = 50
EXACT = {"tol": 1e-8, "max_iter": 1000}
# Solutions that are remembered: a run asks for the head on all its labels to
# advise, others to say how it learns, and that one again to publish it.
MAX_KEPT = 4
HOW = {
    "one": "one scale for all features",
    "each": "a scale for each feature",
}


@dataclasses.dataclass(frozen=True)
class LinearProbe:
    """A solved head.

    Attributes:
        kernel: float32 (features, num_classes).
        bias: float32 (num_classes,).
        strength: the C that cross-validation chose.
        scaling: one of `SCALINGS`, what the features were divided by.
        temperature: what the solution's logits were divided by, so that its
            confidence is that of the folds; it is in kernel and bias.
        out_of_fold: float32 (pictures, num_classes), what each picture is
            taken for by a solution that it had no part in, the mean over its
            views; None where there was nothing to cross-validate on.
    """

    kernel: np.ndarray
    bias: np.ndarray
    strength: float
    scaling: str
    temperature: float = 1.0
    out_of_fold: np.ndarray | None = None

    def outputs(self, features: np.ndarray) -> np.ndarray:
        """float64 (n, num_classes) of features (n, d)."""
        return features.astype(np.float64) @ self.kernel + self.bias

    def how(self) -> str:
        """In words, how it was solved."""
        return f"C={self.strength:g}, {HOW[self.scaling]}"


def solve_probe(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    class_weights: Sequence[float] | None = None,
    views: int = 1,
    groups: Sequence[str] | None = None,
    scaling: str | None = None,
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
        scaling: of `SCALINGS`; None takes "one" up to `FEW_LABELS` pictures
            (or groups) a class, and asks the cross-validation above.

    Returns:
        `LinearProbe`; features @ kernel + bias are the logits.

    Example:
        probe = solve_probe(features, labels)
        logits = features @ probe.kernel + probe.bias
    """
    key = _key(features, labels, class_weights, views, groups, scaling)
    if key not in _solved:
        _solved[key] = _solve(
            features, labels, class_weights, views, groups, scaling
        )
        if len(_solved) > MAX_KEPT:
            del _solved[next(iter(_solved))]
    return _solved[key]


_solved: dict[str, LinearProbe] = {}


def _key(features: np.ndarray, labels: np.ndarray, *settings) -> str:
    """Of all that a solution depends on."""
    digest = hashlib.sha256(repr((features.shape, features.dtype)).encode())
    digest.update(np.ascontiguousarray(features).tobytes())
    weights, views, groups, scaling = settings
    weights = None if weights is None else [float(w) for w in weights]
    groups = None if groups is None else list(map(str, groups))
    told = np.asarray(labels).tolist(), weights, views, groups, scaling
    digest.update(repr(told).encode())
    return digest.hexdigest()


def _solve(
    features: np.ndarray,
    labels: np.ndarray,
    class_weights: Sequence[float] | None,
    views: int,
    groups: Sequence[str] | None,
    scaling: str | None,
) -> LinearProbe:
    weights = None if class_weights is None else dict(enumerate(class_weights))
    folds = cut_folds(labels, views, groups)
    many = labels_a_class(labels, views, groups) > FEW_LABELS
    if scaling is not None:
        tried = (scaling,)
    else:
        tried = SCALINGS if many and folds else SCALINGS[:1]
    # Threads that wait in a busy loop cost a loaded machine ten times the
    # work; and with one the bits do not depend on how many there are.
    with threadpool_limits(limits=1, user_api="blas"):
        best = None
        for name in tried:
            scaled = ScaledFeatures.of(features.astype(np.float64), name)
            found = cross_validate(scaled.rows, labels, weights, views, folds)
            if best is None or found.loss < best[0].loss:
                best = found, name, scaled
        choice, name, scaled = best
        kernel, bias = fit_head(
            scaled, labels, choice.strength, class_weights=weights
        )
    kernel, bias = kernel / choice.temperature, bias / choice.temperature
    return LinearProbe(
        kernel.astype(np.float32),
        bias.astype(np.float32),
        choice.strength,
        name,
        choice.temperature,
        choice.of_examples(views),
    )


def fit_head(
    scaled: ScaledFeatures,
    labels: np.ndarray,
    strength: float,
    *,
    class_weights: dict | None = None,
    each: np.ndarray | None = None,
    **how,
) -> tuple[np.ndarray, np.ndarray]:
    """(kernel, bias) for the features as they were, under one penalty.

    Args:
        scaled: of the examples.
        labels: int (n,), each class at least once.
        strength: scikit-learn's C.
        class_weights: class -> its weight in the loss, or None.
        each: the weight of each example besides, (n,).
        **how: of scikit-learn's solver; as exactly as `EXACT` where nothing
            is given.

    Returns:
        float64 (d, num_classes) and (num_classes,).
    """
    solver = LogisticRegression(
        C=strength, class_weight=class_weights, **(how or EXACT)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", MANY_CLASSES)
        solver.fit(scaled.rows, labels, each)
    coefficients, intercept = solver.coef_, solver.intercept_
    if len(coefficients) == 1:
        # Two classes: scikit-learn gives the difference of their logits.
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    return scaled.back(coefficients, intercept)


def probe_bytes(rows: int, width: int) -> int:
    """Memory that `solve_probe` takes at its height, in bytes.

    In float64: the scaled features, of both scalings where both are tried,
    the given ones, and scikit-learn's copy; those of a fold, besides the
    float32 ones it is given.
    """
    return rows * width * (4 * 8 + 2 * 4)


def cross_entropy_and_accuracy(
    logits: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    """What Keras would log as loss and metrics of an epoch."""
    log_p = scipy.special.log_softmax(logits, axis=-1)
    loss = float(-log_p[np.arange(len(labels)), labels].mean())
    accuracy = float((logits.argmax(-1) == labels).mean())
    return {"loss": loss, "accuracy": accuracy, "cross_entropy": loss}
