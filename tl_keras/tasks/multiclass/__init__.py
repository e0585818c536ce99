"""One class of several for each example: its head, solved, judged, calibrated.

    probe = solve_probe(features, labels)             # the head, exactly
    temperature = fit_temperature(logits, labels)
    evaluation = evaluate_classifier(model, batches, class_names=names)

In: features, logits, labels. Out: arrays and numbers; no settings, no files.
Names are loaded when they are first used.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "Evaluation": "evaluation",
        "LinearProbe": "linear_probe",
        "at_temperature": "calibration",
        "choose_mixture": "mixing",
        "evaluate_classifier": "evaluation",
        "expected_calibration_error": "calibration",
        "find_label_issues": "label_issues",
        "fit_temperature": "calibration",
        "probe_bytes": "linear_probe",
        "solve_probe": "linear_probe",
        "wilson_interval": "evaluation",
    },
)
