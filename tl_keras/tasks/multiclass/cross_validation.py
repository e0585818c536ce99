"""Features, labels -> how strong a penalty is best, judged out of fold.

    folds = cut_folds(labels, views=1, groups=None)
    choice = cross_validate(rows, labels, None, 1, folds)
    choice.strength, choice.temperature

In: scaled features (n, r) and labels. Out: a `Choice`, and what each picture is
taken for by solutions that it had no part in. The views of a picture, and the
pictures of a group, stay together.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.optimize
import scipy.special
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from tl_keras import progress

# Inverse strengths of the L2 penalty, in scikit-learn's sense, tried from the
# strongest penalty on. The loss of few rows may have two valleys, and all are
# tried; where that would take long (rows times classes), until it is worse by
# so much so many times in a row.
STRENGTHS = tuple(float(c) for c in np.logspace(-4, 1, 11))
CHEAP = 20_000
CLEARLY_WORSE, WORSE_IN_A_ROW = 1.02, 2
# Folds that are not better than chance by this share have said nothing.
SAYS_NOTHING = 0.99
FOLDS = 5
FOLD_SEED = 0
# What is taken where the folds say nothing, or a class has a single example.
STRENGTH_WITHOUT_FOLDS = 0.1
# The choice of a strength needs no digits that the solution itself does. The
# limits keep weak features of many classes from taking minutes.
ROUGH = {"tol": 1e-4, "max_iter": 100}
LOG_TEMPERATURES = (-8.0, 3.0)
# scikit-learn takes few labels of many classes for numbers; these are classes.
MANY_CLASSES = "The number of unique classes is greater"


class Choice(NamedTuple):
    """A strength, and what the folds say under it.

    Attributes:
        strength: the C.
        loss: mean over the rows, after temperature.
        temperature: that one.
        out_of_fold: probabilities (rows, num_classes), or None.
    """

    strength: float
    loss: float
    temperature: float
    out_of_fold: np.ndarray | None

    def of_examples(self, views: int) -> np.ndarray | None:
        """Those probabilities, the mean over the views of each picture."""
        if self.out_of_fold is None:
            return None
        classes = self.out_of_fold.shape[-1]
        means = self.out_of_fold.reshape(-1, views, classes).mean(axis=1)
        return means.astype(np.float32)


def cross_validate(
    rows, labels, weights, views: int, folds: list[tuple]
) -> Choice:
    """The strength of least loss after temperature, out of fold.

    From the strongest penalty on, each solution starts from the one before,
    so that the weak penalties, whose solutions take longest, are tried only
    where they pay.

    Args:
        rows: scaled features (n, r).
        labels: int (n,).
        weights: class -> its weight in the loss, or None.
        views: so many rows in a row show one picture.
        folds: of `cut_folds`; without any a middling strength is taken.

    Returns:
        The strength, its loss and temperature, and what the folds answered.
    """
    best = Choice(STRENGTH_WITHOUT_FOLDS, np.inf, 1.0, None)
    if not folds:
        return best
    rough = rows.astype(np.float32)
    parts = [
        (fitted, judged, LogisticRegression(
            class_weight=weights, warm_start=True, **ROUGH
        ))
        for fitted, judged in folds
    ]  # fmt: skip
    each = np.ones(len(labels))
    if weights is not None:
        each = np.array([weights[label] for label in labels])
    classes, worse = labels.max() + 1, 0
    patience = WORSE_IN_A_ROW
    if len(labels) * classes <= CHEAP:
        patience = len(STRENGTHS)
    for strength in progress.counted(
        STRENGTHS, "solving", len(STRENGTHS), "penalties"
    ):
        logits = _judge(rough, labels, parts, strength)
        loss, temperature = platt(logits, labels, each, len(labels) // views)
        worse = worse + 1 if loss > CLEARLY_WORSE * best.loss else 0
        if loss < best.loss:
            likely = scipy.special.softmax(logits / temperature, axis=-1)
            best = Choice(strength, loss, temperature, likely)
        if worse == patience:
            break
    if best.loss > SAYS_NOTHING * np.log(classes):
        # Its temperature would silence the head.
        logits = _judge(rough, labels, parts, STRENGTH_WITHOUT_FOLDS)
        likely = scipy.special.softmax(logits, axis=-1)
        return Choice(STRENGTH_WITHOUT_FOLDS, best.loss, 1.0, likely)
    return best


def platt(
    logits: np.ndarray, labels: np.ndarray, each: np.ndarray, count: int
) -> tuple[float, float]:
    """The temperature that suits logits best, and the loss after it.

    Each label is believed but for one in `count` + 2: a few pictures, all of
    them right, would else ask for boundless confidence, and under every
    strength alike.

    Args:
        logits: (n, num_classes).
        labels: int (n,).
        each: weight of each row, (n,).
        count: pictures that the rows are of.

    Returns:
        (least loss over all temperatures, the temperature).
    """
    doubt = 1 / (count + 2)
    classes = logits.shape[-1]
    targets = np.full(logits.shape, doubt / (classes - 1))
    targets[np.arange(len(labels)), labels] = 1 - doubt
    targets *= (each / each.sum())[:, None]

    def cost(log_temperature: float) -> float:
        logs = scipy.special.log_softmax(
            logits / np.exp(log_temperature), axis=-1
        )
        return float(-(targets * logs).sum())

    found = scipy.optimize.minimize_scalar(
        cost, bounds=LOG_TEMPERATURES, method="bounded"
    )
    return float(found.fun), float(np.exp(found.x))


def _judge(rough, labels, parts, strength: float) -> np.ndarray:
    """Logits of each row by the fold that does not hold it."""
    logits = np.zeros((len(labels), labels.max() + 1))
    for fitted, judged, solver in parts:
        solver.set_params(C=strength)
        with warnings.catch_warnings():
            # Rough on purpose: an unfinished solution is judged as it is.
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", MANY_CLASSES)
            solver.fit(rough[fitted], labels[fitted])
        found = solver.decision_function(rough[judged])
        if found.ndim == 1:
            found = np.stack([-found, found], axis=-1) / 2
        logits[judged] = found
    return logits


def labels_a_class(
    labels: np.ndarray, views: int, groups: Sequence[str] | None
) -> float:
    """Pictures a class in the mean; those of one group are one.

    Args:
        labels: int (n * views,), of rows.
        views: so many rows in a row are of one picture.
        groups: n, what each picture belongs to; None where nothing is known.

    Returns:
        1.0 or more.
    """
    of_example = labels[::views]
    classes = len(np.unique(of_example))
    if groups is None:
        return len(of_example) / classes
    return len(set(zip(groups, of_example.tolist(), strict=True))) / classes


def cut_folds(
    labels: np.ndarray,
    views: int,
    groups: Sequence[str] | None,
    most: int = FOLDS,
) -> list[tuple]:
    """(rows to fit, rows to judge) pairs; no picture or group is in both.

    Args:
        labels: int (n * views,), of rows.
        views: so many rows in a row are of one picture.
        groups: n, what each picture belongs to; None where nothing is known.
        most: how many folds at most, 2 or more.

    Returns:
        Up to so many pairs of int arrays; [] where a class would have nothing
        to fit on.
    """
    of_example = labels[::views]
    given = np.arange(len(of_example)) if groups is None else np.array(groups)
    least = min(
        len(np.unique(given[of_example == label]))
        for label in np.unique(of_example)
    )
    folds = min(most, least)
    if folds < 2:
        return []
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    cutter = kind(folds, shuffle=True, random_state=FOLD_SEED)

    def rows(examples):
        return (examples[:, None] * views + np.arange(views)).ravel()

    pairs = list(cutter.split(of_example, of_example, groups))
    classes = len(np.unique(of_example))
    if any(len(np.unique(of_example[fit])) < classes for fit, _ in pairs):
        return []
    return [(rows(fit), rows(judge)) for fit, judge in pairs]
