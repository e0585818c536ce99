"""What `evaluate` tells of an exported model's numbers.

In: metrics, as metrics.json holds them. Out: lines, and what `--json` prints.
"""

from collections.abc import Sequence

from tl_keras import pages, run_card
from tl_keras.config import EvaluateConfig
from tl_keras.inputs.kinds import nouns
from tl_keras.jobs.telling.ending import numbers_alone


def summary(metrics: dict, skipped: Sequence[str]) -> str:
    """The numbers that a person reads first."""
    test, data = metrics["test"], metrics["data"]
    _, many = nouns(metrics.get("input", "image"))
    lines = [f"skip: {line}" for line in skipped]
    lines += by_name(test, many)
    lines.append(
        f"{data['found']:,} found = {test['examples']:,} used + "
        f"{data['skipped']:,} skipped + {sum(data['ignored'].values()):,} "
        "ignored"
    )
    first, second = run_card.main_numbers(metrics)
    low, high = (run_card.shown(first, x) for x in test[f"{first}_interval"])
    lines.append(
        f"{run_card.title(first)}: {run_card.shown(first, test[first], 4)} "
        f"({low} to {high}) on {test['examples']:,} {many} of "
        f"{data['split']}, {run_card.title(second)} "
        f"{run_card.shown(second, test[second])}, loss {test['loss']:.4f}"
    )
    lines += run_card.coverage(test)
    found = metrics["rounding"]
    if found:
        lines.append(
            f"rounding: moves a probability's logarithm by up to "
            f"{found['movement']:.2g} here; {found['ties']:,} {many} are "
            "right or wrong by that alone"
            + f": {', '.join(found['tied_pictures'])}"
            * bool(found["ties"])
        )
    return pages.escape_lines(lines)


def by_name(test: dict, many: str = "pictures") -> list[str]:
    """A line a class, a label or a column, of the numbers of a split."""
    rows = test.get("per_class") or test.get("per_label") or test["per_target"]
    width = max(map(len, rows))
    if "per_target" in test:
        head = f"{'column':<{width}}  mean error        RMSE      R2"
        return [head] + [
            f"{name:<{width}}  {row['mae']:>10.4g}  {row['rmse']:>10.4g}  "
            f"{row['r2']:>6.3f}"
            for name, row in rows.items()
        ]
    what = "class" if "per_class" in test else "label"
    return [f"{what:<{width}}  precision  recall      f1  {many:>8}"] + [
        f"{name:<{width}}  {row['precision']:>9.3f}  {row['recall']:>6.3f}  "
        f"{row['f1']:>6.3f}  {row['support']:>8,}"
        for name, row in rows.items()
    ]


def evaluated_for_programs(config: EvaluateConfig, metrics: dict) -> dict:
    """What `--json` prints of an evaluation."""
    return {
        "test": numbers_alone(metrics["test"]),
        **({"output_dir": config.output_dir} if config.output_dir else {}),
    }
