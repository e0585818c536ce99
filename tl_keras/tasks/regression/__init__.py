"""Numbers for each example: the head, solved, judged, with intervals.

    head = solve_ridge(features, targets)
    evaluation = count(values, targets, names)

In: features, outputs, targets (n, columns) in their own units. Out: arrays and
numbers; no settings, no files. Names are loaded when they are first used.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "Regression": "task",
        "RidgeHead": "ridge",
        "ValueEvaluation": "evaluation",
        "cut_by_quantiles": "quantiles",
        "solve_ridge": "ridge",
    },
)
