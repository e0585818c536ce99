"""One class of several for each example: its head, solved, judged, calibrated.

    probe = solve_probe(features, labels)             # the head, exactly
    temperature = fit_temperature(logits, labels)
    evaluation = evaluate_classifier(model, batches, class_names=names)

In: features, logits, labels. Out: arrays and numbers; no settings, no files.
"""

from tl_keras.tasks.multiclass.calibration import (
    at_temperature,
    expected_calibration_error,
    fit_temperature,
    fold_temperature,
)
from tl_keras.tasks.multiclass.evaluation import (
    Evaluation,
    evaluate_classifier,
    wilson_interval,
)
from tl_keras.tasks.multiclass.label_issues import Suspect, find_suspects
from tl_keras.tasks.multiclass.linear_probe import (
    LinearProbe,
    probe_bytes,
    solve_probe,
)

__all__ = [
    "Evaluation",
    "LinearProbe",
    "Suspect",
    "at_temperature",
    "evaluate_classifier",
    "expected_calibration_error",
    "find_suspects",
    "fit_temperature",
    "fold_temperature",
    "probe_bytes",
    "solve_probe",
    "wilson_interval",
]
