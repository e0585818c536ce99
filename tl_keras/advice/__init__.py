"""What to do next, said by stored features in seconds.

    advice = advise(features, labels, class_names=names, trained_on=200)
    advice["forecast"], advice["sentences"]

In: features of labelled examples, none of the test split. Out: what more labels
would bring, which class wants them, from where to unfreeze: numbers, and
sentences to act on.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "Curve": "learning_curve",
        "advise": "advising",
        "fit_laws": "power_laws",
        "hindcast": "power_laws",
        "measure_curve": "learning_curve",
        "needy_classes": "classes",
        "probe_depths": "depth",
        "where_to_unfreeze": "depth",
    },
)
