"""Predictions and metrics of numbers -> a page's section.

In: rows of predictions.csv, metrics.json. Out: plain values, as `Task.card`
says.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tl_keras.inputs.counting import counted
from tl_keras.inputs.kinds import nouns
from tl_keras.tasks.regression import number_words

MAX_SHOWN = 12  # pictures
MAX_POINTS = 2000  # of a figure


def section(
    rows: Sequence[Mapping[str, str]],
    metrics: Mapping,
    training: Mapping[str, int],
) -> dict:
    """Predicted against true, residuals, the median's error, worst pictures.

    Args:
        rows: of predictions.csv.
        metrics: as in metrics.json.
        training: targets in words -> how many training examples have them.

    Returns:
        As `Task.card`.
    """
    names, test = metrics["class_names"], metrics["test"]
    truth, values = (
        np.array([[float(r[f"{kind}:{n}"]) for n in names] for r in rows])
        for kind in ("true", "predicted")
    )
    medians = _medians(training, len(names))
    baseline = np.abs(truth - medians).mean(axis=0)
    one, many = nouns(metrics.get("input", "image"))
    asked = counted(test["examples"], f"test {one}", f"test {many}")
    return {
        "headline": _headline(test, names, asked, baseline),
        "baseline_mae": float(baseline.mean()),
        "simplest": {
            "name": "always the median of training",
            "value": float(baseline.mean()),
        },
        "verdict": number_words.verdict(truth, values, test, names, baseline),
        "to_do": number_words.to_do(truth, values, names, many),
        "lines": _lines(test),
        "figures": [
            figure
            for place, name in enumerate(names)
            for figure in _figures(name, truth[:, place], values[:, place])
        ],
        "tables": [_by_target(test, names, baseline)],
        "pictures": [
            {
                "title": "The largest errors",
                "rows": _worst(truth, values, [r["id"] for r in rows], names),
            }
        ],
    }


def _headline(
    test: Mapping, names: Sequence[str], asked: str, baseline: np.ndarray
) -> str:
    """Of each column on its own, as they have units of their own."""
    if len(names) == 1:
        low, high = test["mae_interval"]
        return (
            f"Answers for {names[0]} are off by {test['mae']:.4g} on average, "
            f"on {asked} (95 % interval {low:.4g} to {high:.4g}), against "
            f"{baseline[0]:.4g} for always answering with the median of "
            "training."
        )
    parts = [
        f"{test['per_target'][name]['mae']:.4g} for {name} ({usual:.4g})"
        for name, usual in zip(names, baseline, strict=True)
    ]
    return (
        f"On {asked} answers are off on average by {', '.join(parts[:-1])} and "
        f"{parts[-1]}; in brackets, always answering with the median of "
        "training."
    )


def _medians(training: Mapping[str, int], columns: int) -> np.ndarray:
    """Of each column of the training targets."""
    if not training:
        return np.full(columns, np.nan)
    rows = np.array([[float(x) for x in t.split(",")] for t in training])
    return np.median(np.repeat(rows, list(training.values()), axis=0), axis=0)


def _lines(test: Mapping) -> list[str]:
    # A mean over columns of other units says nothing.
    one = len(test["per_target"]) == 1
    lines = []
    if one:
        lines.append(
            f"Median error {test['median_error']:.4g}; root mean square error "
            f"{test['rmse']:.4g}, in which large errors weigh more; R2 "
            f"{test['r2']:.3f}."
        )
    if "coverage" in test:
        wide = f"; they are {test['interval_width']:.4g} wide" * one
        lines.append(
            f"Intervals meant to hold {100 * test['coverage_asked']:.0f} % of "
            f"the true values hold {100 * test['coverage']:.1f} % of them on "
            f"test{wide}."
        )
    return lines


def _figures(name: str, truth: np.ndarray, values: np.ndarray) -> list[dict]:
    some = slice(None, None, max(1, len(truth) // MAX_POINTS))
    x = [float(f"{v:.6g}") for v in truth[some]]
    y = [float(f"{v:.6g}") for v in values[some]]
    error = [float(f"{v:.6g}") for v in (values - truth)[some]]
    return [
        {"title": f"{name}: predicted against true", "x": x, "y": y,
         "x_label": f"true {name}", "y_label": "predicted", "line": "equals"},
        {"title": f"{name}: error against true", "x": x, "y": error,
         "x_label": f"true {name}", "y_label": "predicted - true",
         "line": "zero"},
    ]  # fmt: skip


def _by_target(test: Mapping, names, baseline: np.ndarray) -> dict:
    return {
        "title": "By column",
        "header": [
            "column", "mean error", "95 % interval", "RMSE", "R2",
            "median error", "bias", "always the median",
        ],
        "rows": [
            [
                name,
                f"{of['mae']:.4g}",
                "{:.4g} to {:.4g}".format(*of["mae_interval"]),
                f"{of['rmse']:.4g}",
                f"{of['r2']:.3f}",
                f"{of['median_error']:.4g}",
                f"{of['bias']:+.4g}",
                f"{baseline[place]:.4g}",
            ]
            for place, name in enumerate(names)
            for of in [test["per_target"][name]]
        ],
    }  # fmt: skip


def _worst(truth, values, ids, names) -> list[dict]:
    """The largest errors, as shares of what each column varies by."""
    spread = np.maximum(truth.std(axis=0), 1e-300)
    errors = np.abs(values - truth) / spread
    shown = []
    for row in np.argsort(-errors.max(axis=1), kind="stable")[:MAX_SHOWN]:
        told = "; ".join(
            f"{name} {values[row, i]:.4g}, true {truth[row, i]:.4g}"
            for i, name in enumerate(names)
        )
        shown.append({"id": ids[row], "words": told})
    return shown
