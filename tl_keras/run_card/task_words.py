"""A run's numbers in words, whatever it predicts: which comes first, and how.

    first, second = main_numbers(metrics)
    title(first), shown(first, metrics["test"][first])

In: metrics. Out: short texts. What is said of one class of several alone is in
`words`.
"""

from collections.abc import Mapping, Sequence

from tl_keras.inputs.kinds import nouns
from tl_keras.run_card.search_words import kept_by_search
from tl_keras.tasks import stored_task

TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "map": "mAP",
    "mae": "mean abs. error",
    "r2": "R2",
}
# The others are in a unit of their own.
SHARES = ("accuracy", "macro_f1", "map", "r2")


MEANT = {
    "macro_f1": "Macro-F1 is the average F1, which is 1 where nothing is "
    "missed and nothing given wrongly; rare ones count as much as frequent "
    "ones.",
    "map": "mAP asks how well each label ranks the examples: 100 % where all "
    "that have it come before all that do not.",
    "r2": "R2 is 1 where every answer is right, and 0 where they are no better "
    "than always answering the mean.",
}
# On a page, where there is room for a unit.
PERCENTS = ("accuracy", "map")


def of_classes(metrics: Mapping) -> bool:
    """Whether a run predicts one class of several, as its metrics say."""
    return stored_task(metrics.get("task", {})).name == "multiclass"


def main_numbers(metrics: Mapping) -> tuple[str, str]:
    """The names of the two numbers of the test split that are told first."""
    task = stored_task(metrics.get("task", {}))
    return task.main, task.second


def title(name: str) -> str:
    """What a number is called where people read it."""
    return TITLES[name]


def shown(name: str, value: float, digits: int = 3) -> str:
    """A number as people read it.

    Args:
        name: of it, in metrics.
        value: of it.
        digits: behind the point, of a share.

    Returns:
        A text; what is no share has four digits in all.
    """
    return f"{value:.{digits}f}" if name in SHARES else f"{value:.4g}"


def on_page(name: str, value: float) -> str:
    """As `shown`, in percent where a share is usually told so."""
    return f"{100 * value:.1f} %" if name in PERCENTS else shown(name, value)


def range_on_page(name: str, ends: Sequence[float]) -> str:
    """ "91.2 to 95.0 %"."""
    low, high = (on_page(name, end) for end in ends)
    return f"{low.removesuffix(' %')} to {high}"


def explained(metrics: Mapping) -> list[str]:
    """What the words of the first table mean, for who meets them first."""
    lines = [MEANT[name] for name in main_numbers(metrics) if name in MEANT]
    phases = {phase["name"] for phase in metrics.get("phases", ())}
    if "head" in phases:
        lines.append(
            "Frozen backbone: the pretrained network stays as it is, and a new "
            "last layer learns."
        )
    if "fine_tune" in phases:
        lines.append("Fine-tuned: layers of the network learn too.")
    if of_classes(metrics) and metrics["card"]["comparisons"]:
        lines.append(
            "p: how often chance alone makes a difference as large as this."
        )
    return lines


def with_interval(name: str, test: Mapping) -> str:
    """ "0.931 (0.912 to 0.950)"."""
    low, high = test[f"{name}_interval"]
    return (
        f"{shown(name, test[name])} ({shown(name, low)} to {shown(name, high)})"
    )


def coverage(test: Mapping) -> list[str]:
    """How many truths sets or intervals hold, if there are any."""
    if "coverage" not in test:
        return []
    size = f"{test.get('interval_width', 0):.4g} wide"
    if "set_size" in test:
        size = f"of {test['set_size']:.2f} classes on average"
    return [
        f"coverage: {test['coverage']:.3f} of the truths are held, for "
        f"{test['coverage_asked']:g}, by "
        f"{'sets' if 'set_size' in test else 'intervals'} {size}"
    ]


def reasons(metrics: Mapping, phase_name) -> list[str]:
    """The lines under the headline: what each step was worth, what is kept.

    Args:
        metrics: with their card; of a task that is not one class of several.
        phase_name: a phase's name -> what people call it.
    """
    if "stopped" in metrics:
        return [metrics["stopped"]]
    first, _ = main_numbers(metrics)
    _, many = nouns(metrics.get("input", "image"))
    lines = list(metrics["card"]["section"]["lines"])
    refused = metrics.get("regression", {}).get("refused", ())
    lines += [f"Not published: {line}." for line in refused]
    for row in metrics["card"]["comparisons"]:
        low, high = (shown(first, x) for x in row["interval"])
        verdict = {
            "better": "is better than", "worse": "is worse than",
        }.get(row["verdict"], "or")  # fmt: skip
        unsure = ": cannot tell at this size" * (verdict == "or")
        lines.append(
            f"{phase_name(row['second']).capitalize()} {verdict} "
            f"{phase_name(row['first'])}{unsure} ({title(first)} "
            f"{'+' if row['difference'] > 0 else ''}"
            f"{shown(first, row['difference'])}, 95 % interval {low} to "
            f"{high} by a paired bootstrap)."
        )
    if metrics.get("search"):
        return [*lines, kept_by_search(metrics)]
    kept = phase_name(metrics["kept_phase"])
    line = (
        f"Kept: {kept}, chosen on validation ({metrics['monitor']}); the test "
        f"{many} had no say."
    )
    if len(metrics["phases"]) == 1:
        line = f"There was only one phase, {kept}; its best weights are kept."
    lines.append(line)
    return lines


def is_kept(phase: Mapping, metrics: Mapping) -> bool:
    """Whether a phase's weights are what is published, with nothing beside."""
    kept = phase["name"] == metrics["kept_phase"]
    return kept and "published" not in metrics
