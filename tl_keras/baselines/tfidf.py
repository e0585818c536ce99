"""TF-IDF and logistic regression: the baseline of texts.

    baseline = fit_tfidf(texts, labels)
    baseline.out_of_fold                 # float64 (n, num_classes)

In: texts and their labels. Out: a `TfidfBaseline`. Words and pairs of words,
and with them pieces of words of 2 to 5 characters, are counted and weighed by
how rare they are; the strength of the penalty and whether pieces help are
chosen by the loss out of fold. A few seconds for a thousand texts.

Reference: Salton and Buckley, "Term-weighting approaches in automatic text
retrieval", 1988.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.special
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from threadpoolctl import threadpool_limits

WORDS, BOTH = "words", "words and characters"
KINDS = (WORDS, BOTH)
STRENGTHS = (1.0, 10.0, 100.0)
MAX_FOLDS = 4
# More do not change which is chosen, and each costs.
MOST_TO_CHOOSE = 1500
# The rarest of more features are left out.
MAX_FEATURES = 30_000
LEAST = 1e-7  # of a probability, in a loss
MOST_DENSE = 4000  # texts; the square of it is held
JITTER = 1e-6


@dataclasses.dataclass(frozen=True)
class TfidfBaseline:
    """A fitted baseline.

    Attributes:
        kind: one of `KINDS`, what is counted.
        strength: the C of the logistic regression.
        accuracy, loss: of cross-validation; NaN where a class has one text.
        out_of_fold: float64 (n, num_classes), what each text is taken for by
            a model that did not see it; None without cross-validation, or
            where it was on a part of the texts.
    """

    kind: str
    strength: float
    accuracy: float
    loss: float
    out_of_fold: np.ndarray | None
    _counts: "_Counts" = dataclasses.field(repr=False)
    _model: "_Fitted" = dataclasses.field(repr=False)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """float64 (n, num_classes) of texts."""
        return self._model.answers(self._counts.of(texts))

    def how(self) -> str:
        """In words, how it was made."""
        return (
            f"TF-IDF of {self.kind}, logistic regression, C={self.strength:g}"
        )

    def words_for(self, label: int, count: int = 10) -> list[str]:
        """What speaks most for a class, the strongest first.

        Args:
            label: of the class.
            count: how many.
        """
        weights, names = self._model.kernel[:, label], self._counts.names()
        return [names[i] for i in np.argsort(-weights)[:count]]


class _Counts:
    """The vectorizers of a kind, fitted to texts."""

    def __init__(self, kind: str, texts: Sequence[str]):
        self.vectorizers = [
            TfidfVectorizer(
                ngram_range=(1, 2), sublinear_tf=True, strip_accents="unicode",
                token_pattern=r"(?u)\w+|[^\w\s]", max_features=MAX_FEATURES,
            )
        ]  # fmt: skip
        if kind == BOTH:
            self.vectorizers.append(
                TfidfVectorizer(
                    analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True,
                    strip_accents="unicode", max_features=MAX_FEATURES,
                )
            )  # fmt: skip
        for vectorizer in self.vectorizers:
            vectorizer.fit(texts)

    def of(self, texts: Sequence[str]) -> scipy.sparse.csr_matrix:
        """(n, features)."""
        return scipy.sparse.hstack(
            [vectorizer.transform(texts) for vectorizer in self.vectorizers],
            format="csr",
        )

    def names(self) -> list[str]:
        """Of the features, in their order."""
        return [
            name
            for vectorizer in self.vectorizers
            for name in vectorizer.get_feature_names_out()
        ]


def fit_tfidf(
    texts: Sequence[str],
    labels: Sequence[int],
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> TfidfBaseline:
    """Fits the baseline to training texts.

    Args:
        texts: to train on.
        labels: int (n,), 0 to num_classes - 1, each class at least once.
        groups: what each text belongs to; those of one group stay together in
            the cross-validation.
        seed: of its folds.

    Returns:
        `TfidfBaseline`, fitted to all texts with what the folds chose.

    Example:
        baseline = fit_tfidf(texts, labels)
        print(baseline.how(), baseline.accuracy)
    """
    labels = np.asarray(labels)
    texts = list(texts)
    # Threads that wait in a busy loop cost a loaded machine ten times the
    # work.
    with threadpool_limits(limits=1, user_api="blas"):
        chosen = _choose(texts, labels, groups, seed)
        kind, strength, loss, accuracy, out_of_fold = chosen
        counts = _Counts(kind, texts)
        (model,) = _fitted(counts.of(texts), labels, [strength])
    return TfidfBaseline(
        kind, strength, accuracy, loss, out_of_fold, counts, model
    )


def _choose(texts, labels, groups, seed):
    """(kind, strength, loss, accuracy, out of fold) of the least loss."""
    some = _part(labels, seed)
    part, own = [texts[i] for i in some], labels[some]
    cut = None if groups is None else np.asarray(groups)[some]
    folds = _folds(own, cut, seed)
    if not folds:
        return WORDS, STRENGTHS[1], np.nan, np.nan, None
    classes = int(labels.max()) + 1
    tried = {
        (kind, strength): np.zeros((len(some), classes))
        for kind in KINDS
        for strength in STRENGTHS
    }
    for train, held in folds:
        for kind in KINDS:
            counts = _Counts(kind, [part[i] for i in train])
            seen = counts.of([part[i] for i in train])
            unseen = counts.of([part[i] for i in held])
            for fitted in _fitted(seen, own[train], STRENGTHS):
                told = tried[kind, fitted.strength]
                told[np.ix_(held, fitted.labels)] = fitted.answers(unseen)
    best = None
    for (kind, strength), told in tried.items():
        right = np.maximum(told[np.arange(len(some)), own], LEAST)
        loss = float(-np.log(right).mean())
        accuracy = float((told.argmax(1) == own).mean())
        if best is None or loss < best[2]:
            whole = told if len(some) == len(labels) else None
            best = kind, strength, loss, accuracy, whole
    return best


def _part(labels: np.ndarray, seed: int) -> np.ndarray:
    """Places of the texts to choose by: all, or so many of each class."""
    if len(labels) <= MOST_TO_CHOOSE:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    # The first of each class, then the second of each, and so on.
    turn = np.empty(len(labels), int)
    for label in np.unique(labels):
        own = order[labels[order] == label]
        turn[own] = np.arange(len(own))
    return np.sort(
        order[np.argsort(turn[order], kind="stable")][:MOST_TO_CHOOSE]
    )


def _folds(labels, groups, seed):
    """(train, held out) places; none where a class has one text alone."""
    counts = np.bincount(labels)
    folds = min(MAX_FOLDS, int(counts[counts > 0].min()))
    if groups is not None:
        each = [len(set(groups[labels == k])) for k in np.unique(labels)]
        folds = min(folds, *each)
    if folds < 2:
        return []
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    cut = kind(folds, shuffle=True, random_state=seed)
    return list(cut.split(labels, labels, groups))


@dataclasses.dataclass(frozen=True)
class _Fitted:
    """A logistic regression of sparse features.

    Attributes:
        strength: its C.
        labels: of its outputs.
        kernel: float64 (features, outputs).
        bias: float64 (outputs,).
    """

    strength: float
    labels: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray

    def answers(self, features: scipy.sparse.csr_matrix) -> np.ndarray:
        """Probabilities, float64 (n, outputs)."""
        return scipy.special.softmax(features @ self.kernel + self.bias, axis=1)


def _fitted(
    features: scipy.sparse.csr_matrix,
    labels: np.ndarray,
    strengths: Sequence[float],
) -> Iterator[_Fitted]:
    """A model for each strength of the penalty, the weakest last.

    The solution lies among the texts' own rows, of which there are fewer than
    features. With K = L L' of the rows' products, rows L have the same
    products: what is solved on them is the same model, and dense and small.
    """
    count = features.shape[0]
    if count > MOST_DENSE:
        rows, back = features, None
    else:
        products = (features @ features.T).toarray()
        # Of two texts of the same words a row would be of no length.
        products[np.diag_indices(count)] += JITTER
        lower = np.linalg.cholesky(products)
        rows, back = lower.astype(np.float32), lower.T
    model = LogisticRegression(
        C=strengths[0], max_iter=300, tol=1e-3, warm_start=True
    )
    for strength in strengths:
        model.set_params(C=strength).fit(rows, labels)
        kernel, bias = model.coef_.T.astype(np.float64), model.intercept_
        if back is not None:
            solve = scipy.linalg.solve_triangular
            kernel = features.T @ solve(back, kernel)
        if len(model.classes_) == 2:  # One row says both.
            kernel, bias = (
                np.concatenate([-m, m], axis=-1) / 2 for m in (kernel, bias)
            )
        yield _Fitted(strength, model.classes_, kernel, bias)
