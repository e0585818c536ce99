"""Metrics -> which phase's weights are kept, and why, in a sentence.

    kept(metrics)     # "Kept: fine-tuned, with the lowest loss ..."

In: metrics of a run of one class of several. Out: words.
"""

from collections.abc import Mapping

from tl_keras.run_card.figures import p_value
from tl_keras.run_card.search_words import kept_by_search
from tl_keras.run_card.words import many, phase_name

# What chose -> its name in the numbers of an epoch, in words, as it is shown.
MONITORS = {
    "val_loss_calibrated": (
        "val_cross_entropy_calibrated",
        "the lowest loss on validation after temperature",
        "{:.3f}",
    ),
    "val_loss": (
        "val_cross_entropy",
        "the lowest loss on validation",
        "{:.3f}",
    ),
    "val_accuracy": (
        "val_accuracy",
        "the highest accuracy on validation",
        "{:.1%}",
    ),
}


def kept(metrics: Mapping) -> str:
    """Which phase's weights are kept, and why."""
    best, phases = metrics["kept_phase"], metrics["phases"]
    name = phase_name(best)
    if metrics.get("search"):
        return kept_by_search(metrics)
    if metrics.get("solved_on_all"):
        return _solved_on_all(metrics)
    if len(phases) == 1:
        return f"There was only one phase, {name}; its best weights are kept."
    key, words, order = MONITORS[metrics.get("monitor", "val_loss")]
    values = {p["name"]: p["at_best_epoch"].get(key) for p in phases}
    if None in values.values():
        return (
            f"Kept: {name}, the last phase, as there was nothing to validate "
            "on."
        )

    def shown(value: float) -> str:
        return order.format(value).replace("%", " %")

    others = ", ".join(
        f"{phase_name(n)} {shown(v)}" for n, v in values.items() if n != best
    )
    tie = all(v == values[best] for v in values.values())
    why = "the earlier of equals on validation" if tie else f"with {words}"
    tried = "".join(f" {line}" for line in map(interpolated, phases) if line)
    return (
        f"Kept: {name}, {why} "
        f"({shown(values[best])}; {others}).{tried} The test {many(metrics)} "
        "had no say."
    )


def _solved_on_all(metrics: Mapping) -> str:
    """Of a head that validation's labels had a part in."""
    labels = metrics["solved_on_all"]
    unsure = "".join(
        f" {phase_name(phase['name']).capitalize()} was not clearly better "
        f"on validation ({p_value(phase['gain']['p_value'])} by a paired "
        "t-test)."
        for phase in metrics["phases"]
        if phase.get("share")
    )
    return (
        "Kept: the frozen head, solved once more on all "
        f"{labels['examples']:,} labels, the {labels['validation_examples']:,} "
        f"of validation too.{unsure} How sure it is was judged by solutions "
        "that had not learnt from what they judged; the test "
        f"{many(metrics)} had no say."
    )


def interpolated(phase: Mapping) -> str:
    """Where between its start and its best epoch a phase's weights lie."""
    share = phase.get("share")
    if share is None:
        return ""
    name = phase_name(phase["name"])
    if not share:
        return (
            f"Of the weights between where {name} began and its best epoch, "
            "none were better on validation than where it began."
        )
    return (
        f"The weights of {name} lie {100 * share:.0f} % of the way from where "
        "that phase began to its best epoch: better there than at the start, "
        f"{p_value(phase['gain']['p_value'])} by a paired t-test on "
        "the validation examples, which chose them too."
    )
