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

from tl_keras.inputs.text.plain_text import PIECES, WORD, plain

WORDS, BOTH = "words", "words and characters"
KINDS = (WORDS, BOTH)
STRENGTHS = (1.0, 10.0, 100.0)
CHOICES = tuple((kind, c) for kind in KINDS for c in STRENGTHS)
MAX_FOLDS = 4
# More do not change which is chosen, and each costs.
MAX_TO_CHOOSE = 1500
# The rarest of more features are left out.
MAX_FEATURES = 30_000
LEAST = 1e-7  # of a probability, in a loss
MAX_DENSE = 4000  # texts; the square of it is held
JITTER = 1e-6


@dataclasses.dataclass(frozen=True)
class TfidfBaseline:
    """A fitted baseline.

    Attributes:
        kind: one of `KINDS`, what is counted.
        strength: the C of the logistic regression.
        accuracy, loss: of cross-validation; NaN where a class has one text.
        out_of_fold: float64 (judged, num_classes), what texts are taken for
            by a model that did not see them; None without cross-validation.
        judged: int, the places of those texts: of many a part.
    """

    kind: str
    strength: float
    accuracy: float
    loss: float
    out_of_fold: np.ndarray | None
    judged: np.ndarray | None
    _counts: "_Counts" = dataclasses.field(repr=False)
    _model: "_Fitted" = dataclasses.field(repr=False)

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """float64 (n, num_classes) of texts."""
        return self._model.answers(self._counts.of(texts))

    def outputs(self, texts: Sequence[str]) -> np.ndarray:
        """Logits of texts, float64 (n, num_classes)."""
        return self._model.outputs(self._counts.of(texts))

    def counts(self, texts: Sequence[str]) -> scipy.sparse.csr_matrix:
        """TF-IDF weights of texts, (n, columns)."""
        return self._counts.of(texts)

    def how(self) -> str:
        """In words, how it was made."""
        return (
            f"TF-IDF of {self.kind}, logistic regression, C={self.strength:g}"
        )

    def grams(self) -> list[tuple[str, ...]]:
        """What is counted, by column: words and pairs; then, if any, pieces."""
        return [
            tuple(vectorizer.get_feature_names_out())
            for vectorizer in self._counts.vectorizers
        ]

    def idf(self) -> np.ndarray:
        """How rare each of them is, float64 (columns,)."""
        return np.concatenate([v.idf_ for v in self._counts.vectorizers])

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Kernel, float64 (columns, num_classes), and bias of the logits."""
        return self._model.kernel, self._model.bias

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
                ngram_range=(1, 2), sublinear_tf=True, preprocessor=plain,
                token_pattern=WORD, max_features=MAX_FEATURES,
            )
        ]  # fmt: skip
        if kind == BOTH:
            self.vectorizers.append(
                TfidfVectorizer(
                    analyzer="char_wb", ngram_range=PIECES, sublinear_tf=True,
                    preprocessor=plain, max_features=MAX_FEATURES,
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
        part = _part(labels, seed)
        chosen = _choose(texts, labels, part, groups, seed)
        if len(part) < len(texts) <= MAX_DENSE:
            # Chosen on a part; how good that is, all texts can say.
            all_of_them, only = np.arange(len(texts)), [chosen[:2]]
            chosen = _choose(texts, labels, all_of_them, groups, seed, only)
        kind, strength, loss, accuracy, out_of_fold, judged = chosen
        counts = _Counts(kind, texts)
        (model,) = _fitted(counts.of(texts), labels, [strength])
    return TfidfBaseline(
        kind, strength, accuracy, loss, out_of_fold, judged, counts, model
    )


def _choose(texts, labels, some, groups, seed, choices=CHOICES):
    """(kind, strength, loss, accuracy, answers, places) of the least loss."""
    part, own = [texts[i] for i in some], labels[some]
    cut = None if groups is None else np.asarray(groups)[some]
    folds = _folds(own, cut, seed)
    if not folds:
        return WORDS, STRENGTHS[1], np.nan, np.nan, None, None
    classes = int(labels.max()) + 1
    tried = {choice: np.zeros((len(some), classes)) for choice in choices}
    for train, held in folds:
        for kind in dict.fromkeys(kind for kind, _ in choices):
            strengths = [s for k, s in choices if k == kind]
            counts = _Counts(kind, [part[i] for i in train])
            seen = counts.of([part[i] for i in train])
            unseen = counts.of([part[i] for i in held])
            for fitted in _fitted(seen, own[train], strengths):
                told = tried[kind, fitted.strength]
                told[np.ix_(held, fitted.labels)] = fitted.answers(unseen)
    best = None
    for (kind, strength), told in tried.items():
        right = np.maximum(told[np.arange(len(some)), own], LEAST)
        loss = float(-np.log(right).mean())
        accuracy = float((told.argmax(1) == own).mean())
        if best is None or loss < best[2]:
            best = kind, strength, loss, accuracy, told, some
    return best


def _part(labels: np.ndarray, seed: int) -> np.ndarray:
    """Places of the texts to choose by: all, or so many of each class."""
    if len(labels) <= MAX_TO_CHOOSE:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    # The first of each class, then the second of each, and so on.
    turn = np.empty(len(labels), int)
    for label in np.unique(labels):
        own = order[labels[order] == label]
        turn[own] = np.arange(len(own))
    return np.sort(
        order[np.argsort(turn[order], kind="stable")][:MAX_TO_CHOOSE]
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

    def outputs(self, features: scipy.sparse.csr_matrix) -> np.ndarray:
        """Logits, float64 (n, outputs)."""
        return features @ self.kernel + self.bias

    def answers(self, features: scipy.sparse.csr_matrix) -> np.ndarray:
        """Probabilities, float64 (n, outputs)."""
        return scipy.special.softmax(self.outputs(features), axis=1)


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
    if count > MAX_DENSE:
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
