"""Any number of labels for each example: its head, solved, judged, calibrated.

    head = solve_labels(features, targets)           # one regression a label
    evaluation = count(probabilities, targets, names, thresholds)

In: features, outputs, targets (n, labels) of 0 and 1. Out: arrays and numbers;
no settings, no files. Names are loaded when they are first used.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "LabelEvaluation": "evaluation",
        "LabelHead": "head",
        "Multilabel": "task",
        "best_thresholds": "f1_thresholds",
        "cut_by_label_sets": "label_sets",
        "find_label_issues": "label_issues",
        "solve_labels": "head",
    },
)
