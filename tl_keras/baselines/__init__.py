"""What a run's network has to beat: models that know nothing of pretraining.

    baseline = fit_tfidf(texts, labels)
    baseline.accuracy                    # of cross-validation
    baseline.probabilities(["free entry!"])

In: examples as they are. Out: a fitted model, and what it is worth by
cross-validation; and what an export takes of it. Fitting needs no TensorFlow.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "TfidfBaseline": "tfidf",
        "TextHead": "beside",
        "TfidfSeveral": "several",
        "class_words": "beside",
        "fit_tfidf": "tfidf",
        "fit_tfidf_labels": "several",
        "fit_tfidf_numbers": "several",
        "served_baseline": "served",
        "solve_beside": "beside",
        "with_baseline": "served",
    },
)
