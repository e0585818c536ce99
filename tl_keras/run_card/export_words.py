"""Metrics -> what is said of an export: how far it is from the model, and how
it compares with an earlier version.

    rounding(metrics["export"], "pictures")
    regression(metrics["regression"], "pictures")

In: parts of metrics.json. Out: sentences.
"""

from collections.abc import Mapping

from tl_keras.run_card.figures import p_value, percent

MAX_CHANGED = 5  # pictures that are named


def regression(found: Mapping, many: str = "pictures") -> list[str]:
    """What was asked of a new version, and how it compares with an earlier.

    Args:
        found: `regression` of metrics.json.
        many: what the examples are called.
    """
    lines = []
    if "min_accuracy" in found:
        lines.append(
            f"At least {percent(found['min_accuracy'])} of the test {many} "
            "had to be right."
        )
    if "version" in found:
        ties = f", {found.get('ties', 0):,} of them by rounding alone"
        unread = f", of which it read {found['unread']:,} not"
        lines.append(
            f"Version {found['version']} has "
            f"{percent(found['accuracy'])} of the same {found['examples']:,} "
            f"{many} right{unread * bool(found['unread'])}, this one "
            f"{percent(found['accuracy_of_new'])}: {found['second_only']:,} "
            f"won, {found['first_only']:,} lost, {p_value(found['p_value'])} "
            f"by McNemar's exact test. {found['changed']:,} are answered "
            f"otherwise{ties * bool(found.get('ties'))}; changed.csv has each."
        )
    return lines


def rounding(export: Mapping, many: str = "pictures") -> list[str]:
    """How far an export's answers are from the model's, and from here.

    Args:
        export: of metrics.json.
        many: what the examples are called.
    """
    found = export.get("rounding")
    if not found:
        return []
    lines = [
        f"In float32 on the CPU {_same_as_model(export)}. On this run's "
        f"device, in its precision, the logarithms of its probabilities of the "
        f"test {many} are up to {small(found['largest_difference'])} from the "
        f"evaluation's, where rounding moves the model's own by "
        f"{small(found['movement'])}."
    ]
    if found["changed"]:
        named = "; ".join(
            f"{row['id']} ({row['evaluation']}, in the export {row['export']})"
            for row in found["changed_pictures"][:MAX_CHANGED]
        )
        more = ", ..." * (found["changed"] > MAX_CHANGED)
        lines.append(
            f"That changes {found['changed']:,} predicted "
            f"class{'es' * (found['changed'] > 1)}, and the numbers here are "
            f"the export's: {named}{more}."
        )
    return lines


def _same_as_model(export: Mapping) -> str:
    off = export["largest_difference"]
    if not off:
        return "the export gives the model's probabilities exactly"
    return f"the export's probabilities are within {small(off)} of the model's"


def small(value: float) -> str:
    """0.00071234 -> "0.00071"; a difference, with two digits."""
    return f"{value:.2g}"
