"""The features of encoder and TF-IDF side by side, and one head on both.

    joint = solve_joint(texts, vectors, labels, baseline)
    joint.out_of_fold                    # logits, float64 (n, num_classes)
    logits = vectors @ joint.kernel + weights @ joint.tfidf_kernel + joint.bias

In: texts with an encoder's vectors, and a baseline fitted to them. Out: a
logistic regression on both, solved exactly; how loud TF-IDF's weights are
beside the vector is chosen by the loss out of fold.

The solution lies among the texts' own rows: with K = L L' of the rows'
products, as in `tfidf`, what is solved is small and dense.
"""

import dataclasses
import warnings
from collections.abc import Sequence

import numpy as np
import scipy.linalg
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from tl_keras.baselines.tfidf import JITTER, TfidfBaseline, _Counts, _folds
from tl_keras.tasks.multiclass.cross_validation import MANY_CLASSES, platt
from tl_keras.tasks.multiclass.feature_scaling import feature_scales

# The sum of squares of TF-IDF's weights, of that of the vectors.
SHARES = (0.3, 1.0, 3.0)
# Of rows of length 1 in the mean; three times more or less change little.
STRENGTH = 30.0
# Texts x classes that are solved in about a second of a core. Of more texts
# the sum of two heads is as good (benchmarks/README.md), and costs nothing.
MAX_WORK, MAX_TEXTS = 60_000, 1500


@dataclasses.dataclass(frozen=True)
class JointHead:
    """A head on the encoder's vector and TF-IDF's weights.

    Attributes:
        share: one of `SHARES`, the chosen one.
        kernel: float64 (width, num_classes), for the vectors as they are.
        tfidf_kernel: float64 (columns, num_classes).
        bias: float64 (num_classes,).
        out_of_fold: logits, float64 (n, num_classes), of each text by a
            solution that it had no part in.
    """

    share: float
    kernel: np.ndarray
    tfidf_kernel: np.ndarray
    bias: np.ndarray
    out_of_fold: np.ndarray


def solve_joint(
    texts: Sequence[str],
    vectors: np.ndarray,
    labels: np.ndarray,
    baseline: TfidfBaseline,
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> JointHead | None:
    """Solves one head on both kinds of features.

    Args:
        texts: to learn from.
        vectors: the encoder's, (n, width).
        labels: int (n,), 0 to num_classes - 1, each class at least once.
        baseline: fitted to the same texts.
        groups: what each text belongs to; those of one group stay together in
            the folds.
        seed: of the folds.

    Returns:
        `JointHead`; None where a class has one text alone, or where it would
        take long (`MAX_WORK`).

    Example:
        joint = solve_joint(texts, vectors, labels, fit_tfidf(texts, labels))
    """
    labels, texts = np.asarray(labels), np.array(texts, object)
    classes = int(labels.max()) + 1
    groups = None if groups is None else np.asarray(groups)
    folds = _folds(labels, groups, seed)
    if not folds or len(texts) > MAX_TEXTS or len(texts) * classes > MAX_WORK:
        return None
    # As in `fit_tfidf`.
    with threadpool_limits(limits=1, user_api="blas"):
        tried = {share: np.zeros((len(texts), classes)) for share in SHARES}
        for train, held in folds:
            counts = _Counts(baseline.kind, list(texts[train]))
            rows = _Rows(vectors[train], counts.of(texts[train]))
            asked = vectors[held], counts.of(texts[held])
            for share, outputs in tried.items():
                kernel, more, bias = rows.solve(labels[train], share)
                found = asked[0] @ kernel + asked[1] @ more + bias
                # Groups may leave a class out of what was fitted.
                outputs[held] = found.min(axis=1, keepdims=True)
                outputs[np.ix_(held, np.unique(labels[train]))] = found
        each = np.ones(len(labels))
        share = min(
            tried,
            key=lambda share: platt(tried[share], labels, each, len(labels))[0],
        )
        rows = _Rows(vectors, baseline.counts(list(texts)))
        solved = rows.solve(labels, share)
    return JointHead(share, *solved, tried[share])


class _Rows:
    """Features of both kinds, of texts to fit."""

    def __init__(self, vectors: np.ndarray, weights):
        vectors = vectors.astype(np.float64)
        self.mean = vectors.mean(axis=0)
        self.scale = feature_scales(vectors, "one")
        self.rows, self.weights = (vectors - self.mean) / self.scale, weights
        self.of_vectors = self.rows @ self.rows.T
        self.of_weights = (weights @ weights.T).toarray()

    def solve(
        self, labels: np.ndarray, share: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(kernel of vectors as they were, that of weights, bias)."""
        count = len(labels)
        loud = 1 / max(np.trace(self.of_vectors), JITTER)
        words = share / max(np.trace(self.of_weights), JITTER)
        loud, words = (count * part / (1 + share) for part in (loud, words))
        products = loud * self.of_vectors + words * self.of_weights
        products[np.diag_indices(count)] += JITTER
        lower = np.linalg.cholesky(products)
        model = LogisticRegression(C=STRENGTH, max_iter=300, tol=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", MANY_CLASSES)
            model.fit(lower.astype(np.float32), labels)
        found, bias = model.coef_.T.astype(np.float64), model.intercept_
        if found.shape[1] == 1:  # One row says both classes.
            found, bias = (
                np.concatenate([-m, m], axis=-1) / 2 for m in (found, bias)
            )
        own = scipy.linalg.solve_triangular(lower.T, found)
        kernel = (loud * self.rows.T @ own) / self.scale[:, None]
        return kernel, words * (self.weights.T @ own), bias - self.mean @ kernel
