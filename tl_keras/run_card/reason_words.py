"""Metrics -> the lines under the headline: what each step was worth.

    reasons(metrics)

In: metrics of one class of several, with their `card`. Out: sentences.
"""

from collections.abc import Mapping

from tl_keras.inputs.counting import counted
from tl_keras.run_card.figures import p_value, percent, points, short_loss
from tl_keras.run_card.kept_words import kept
from tl_keras.run_card.published_words import published_lines
from tl_keras.run_card.words import leakage, many, one, phase_name


def reasons(metrics: Mapping) -> list[str]:
    """The lines under the headline: what each step was worth, what is kept."""
    if "stopped" in metrics:
        return [metrics["stopped"]]
    lines = [f"{line}." for line in leakage(metrics)]
    refused = metrics.get("regression", {}).get("refused", ())
    lines += [f"Not published: {line}." for line in refused]
    if "only_answer" in metrics["card"]:
        lines.append(_one_class(metrics))
    test = metrics.get("test", {})
    if "set_size" in test:
        lines.append(
            f"Sets of classes meant to hold the truth for "
            f"{percent(test['coverage_asked'])} of the {many(metrics)} hold it "
            f"for {percent(test['coverage'])} of the test {many(metrics)}, "
            f"with {test['set_size']:.2f} classes on average."
        )
    lines += [
        _compared(c, one(metrics), many(metrics))
        for c in metrics["card"]["comparisons"]
    ]
    return [
        *lines, kept(metrics), *published_lines(metrics),
        *unlabelled(metrics),
    ]  # fmt: skip


def unlabelled(metrics: Mapping) -> list[str]:
    """What pictures without labels were worth, where there were any."""
    found = metrics.get("unlabelled")
    if not found:
        return []
    learnt = "learnt from" if found["share"] else "not learnt from"
    line = (
        f"{found['used']:,} of {found['found']:,} pictures without labels could"
        f" be used, and were {learnt}"
    )
    if found["answers"]:
        line += (
            f": by cross-validation over the labelled ones the loss with them "
            f"is {short_loss(found['loss_with'])}, without them "
            f"{short_loss(found['loss'])} (accuracy "
            f"{percent(found['accuracy_with'])} and "
            f"{percent(found['accuracy'])})"
        )
    else:
        line += ": cross-validation needs two labels of each class"
    left_out = [
        f"{count:,} left out: {why}" for why, count in found["left_out"].items()
    ]
    return ["; ".join([line, *left_out]) + "."]


def _one_class(metrics: Mapping) -> str:
    """That a model has learnt to say one thing, and what may help."""
    return (
        f"All {metrics['test']['examples']:,} test {many(metrics)} are "
        f"answered with one class, {metrics['card']['only_answer']}: the "
        "model tells no two classes apart. Where that class is much more "
        "frequent than others in training, --class_weights=balanced helps."
    )


def _compared(row: Mapping, one: str, many: str) -> str:
    """One paired comparison in words."""
    first, second = row["first"], row["second"]
    change = (
        f"{points(row['difference'])} points, 95 % interval "
        f"{points(row['interval'][0])} to {points(row['interval'][1])}; "
        f"{counted(row['second_only'], one, many)} won, "
        f"{row['first_only']:,} lost, "
        f"{p_value(row['p_value'])} by McNemar's exact test"
    )
    if second == "published":
        subject = "What is published, with words beside the network,"
        what = {
            "better": "is better than the network alone",
            "worse": "is worse than the network alone",
        }.get(row["verdict"], "or the network alone: cannot tell at this size")
    elif first == "baseline":
        subject = "The network"
        what = {
            "better": "is better than TF-IDF with logistic regression",
            "worse": "is worse than TF-IDF with logistic regression, which "
            "needs no network",
        }.get(
            row["verdict"],
            "or TF-IDF with logistic regression: cannot tell at this size",
        )
    elif first == "scratch":
        subject = "Transfer"
        what = {
            "better": "is better than random weights",
            "worse": "is worse than random weights",
        }.get(row["verdict"], "or random weights: cannot tell at this size")
    else:
        subject = {"fine_tune": "Fine-tuning"}.get(second, phase_name(second))
        against = {"head": "frozen head"}.get(first, phase_name(first))
        what = {
            "better": f"made the {against} better",
            "worse": f"made the {against} worse",
        }.get(
            row["verdict"], f"against the {against}: cannot tell at this size"
        )
    return f"{subject} {what} ({change})."
