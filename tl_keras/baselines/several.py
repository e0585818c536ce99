"""The baseline of texts with several labels, or with numbers.

    fit_tfidf_labels(texts, marks).answers(more_texts)
    fit_tfidf_numbers(texts, values).answers(more_texts)

In: texts, and 0 or 1 of each label or a number of each column. Out: a
`TfidfSeveral`. TF-IDF of words, pairs of words and pieces of words; a logistic
regression for each label, or ridge regression, whose strength is
cross-validated.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import cross_val_score
from threadpoolctl import threadpool_limits

from tl_keras.baselines.tfidf import BOTH, STRENGTHS, _Counts

MAX_FOLDS = 3
PENALTIES = (0.1, 1.0, 10.0)


@dataclasses.dataclass(frozen=True)
class TfidfSeveral:
    """A fitted baseline of labels or numbers.

    Attributes:
        method: what stands behind TF-IDF, in words.
    """

    method: str
    _counts: _Counts = dataclasses.field(repr=False)
    _kernel: np.ndarray = dataclasses.field(repr=False)
    _bias: np.ndarray = dataclasses.field(repr=False)
    _likely: bool = dataclasses.field(repr=False)

    def answers(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities or numbers of texts, float64 (n, outputs)."""
        found = self._counts.of(texts) @ self._kernel + self._bias
        return 1 / (1 + np.exp(-found)) if self._likely else found

    def how(self) -> str:
        """In words, how it was made."""
        return f"TF-IDF of {BOTH}, {self.method}"


def fit_tfidf_labels(
    texts: Sequence[str], marks: np.ndarray, *, seed: int = 0
) -> TfidfSeveral:
    """Fits the baseline of several labels.

    Args:
        texts: to train on.
        marks: int (n, labels), 0 or 1.
        seed: of the folds.

    Returns:
        `TfidfSeveral`, whose answers are probabilities.

    Example:
        fit_tfidf_labels(texts, marks).answers(["free entry"])
    """
    counts = _Counts(BOTH, texts)
    rows = counts.of(texts)
    kernel = np.zeros((rows.shape[1], marks.shape[1]))
    bias = np.zeros(marks.shape[1])
    with threadpool_limits(limits=1, user_api="blas"):
        for place, given in enumerate(np.asarray(marks).T):
            rarest = int(min(given.sum(), len(given) - given.sum()))
            if rarest < 2:  # Never or always there, or once.
                share = (given.sum() + 0.5) / (len(given) + 1)
                bias[place] = np.log(share / (1 - share))
                continue
            model = _strongest(rows, given, min(MAX_FOLDS, rarest), seed)
            model.fit(rows, given)
            kernel[:, place], bias[place] = model.coef_[0], model.intercept_[0]
    method = "a logistic regression for each label"
    return TfidfSeveral(method, counts, kernel, bias, True)


def _strongest(rows, given, folds: int, seed: int) -> LogisticRegression:
    """A regression, not fitted, of the strength with the least loss."""
    models = [
        LogisticRegression(
            C=strength,
            max_iter=300,
            tol=1e-3,
            solver="liblinear",
            random_state=seed,
        )
        for strength in STRENGTHS
    ]
    scores = [
        cross_val_score(
            model, rows, given, cv=folds, scoring="neg_log_loss"
        ).mean()
        for model in models
    ]
    return models[int(np.argsort(scores)[-1])]


def fit_tfidf_numbers(texts: Sequence[str], values: np.ndarray) -> TfidfSeveral:
    """Fits the baseline of numbers.

    Args:
        texts: to train on.
        values: float (n, columns).

    Returns:
        `TfidfSeveral`, whose answers are numbers.

    Example:
        fit_tfidf_numbers(texts, stars).answers(["never again"])
    """
    counts = _Counts(BOTH, texts)
    rows = counts.of(texts)
    values = np.asarray(values, np.float64)
    folds = min(MAX_FOLDS, len(values))
    with threadpool_limits(limits=1, user_api="blas"):
        models = [
            RidgeCV(PENALTIES, cv=folds if folds > 1 else None).fit(rows, one)
            for one in values.T
        ]
    return TfidfSeveral(
        "ridge regression",
        counts,
        np.stack([model.coef_ for model in models], axis=1),
        np.array([model.intercept_ for model in models]),
        False,
    )
