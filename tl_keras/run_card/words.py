"""Metrics -> what things are called, and the headline of a run.

    headline(metrics)          # "Right on 94.0 % of 300 test pictures ..."
    phase_name("head")         # "frozen backbone"

In: metrics with their `card`. Out: words, the same on the page and in
report.md.
"""

from collections.abc import Mapping

from tl_keras.inputs.counting import counted
from tl_keras.inputs.kinds import nouns
from tl_keras.run_card import task_words
from tl_keras.run_card.figures import (
    interval,
    percent,
    short_loss,
)

PHASES = {
    "head": "frozen backbone",
    "fine_tune": "fine-tuned",
    "scratch": "from random weights",
    "baseline": "TF-IDF, without a network",
    "published": "published, with words beside",
}


def one(metrics: Mapping) -> str:
    """What an example of the run is called: "picture"."""
    return nouns(metrics.get("input", "image"))[0]


def many(metrics: Mapping) -> str:
    """What its examples are called: "pictures"."""
    return nouns(metrics.get("input", "image"))[1]


def seen(metrics: Mapping) -> str:
    """What the network is shown of an example."""
    model = metrics["model"]
    if "max_tokens" in model:
        return f"up to {model['max_tokens']:,} tokens"
    return f"{model['image_size']} x {model['image_size']} pixels"


def phase_name(name: str) -> str:
    """What a phase is called where people read it."""
    return PHASES.get(name, name)


def at_best(phase: Mapping) -> str:
    """What validation, or training, says of a phase at its best epoch."""
    found = phase["at_best_epoch"]
    before = "val_" if "val_cross_entropy" in found else ""
    return (
        f"loss {short_loss(found[f'{before}cross_entropy'])}, accuracy "
        f"{percent(found[f'{before}accuracy'])}"
    )


def headline(metrics: Mapping) -> str:
    """The verdict in one sentence."""
    if "stopped" in metrics:
        return "This run stopped before it had a model: training diverged."
    test, card = metrics["test"], metrics["card"]
    asked = counted(
        test["examples"], f"test {one(metrics)}", f"test {many(metrics)}"
    )
    words = (
        f"Right on {percent(test['accuracy'])} of {asked} (95 % interval "
        f"{interval(test['accuracy_interval'])})"
    )
    majority = card.get("majority")
    if majority is None:
        return words + "."
    low, high = test["accuracy_interval"]
    beats = "which this test cannot tell from"
    if low > majority["accuracy"]:
        beats = "against"
    elif high < majority["accuracy"]:
        beats = "which is worse than"
    words += (
        f", {beats} {percent(majority['accuracy'])} for always answering "
        "with the most frequent class"
    )
    if "scratch" in metrics:
        scratch = metrics["scratch"]["test"]["accuracy"]
        words += (
            f" and {percent(scratch)} for the same network trained from "
            "random weights"
        )
    return words + "."


def leakage(metrics: Mapping) -> list[str]:
    """What of the test split was trained on, and the accuracy without it."""
    found = metrics.get("leakage")
    if not found:
        return []
    lines = [
        f"{found[split]:,} of the {name} {many(metrics)} "
        f"{'is' if found[split] == 1 else 'are'} in training too "
        "(--allow_leakage)"
        for split, name in (("test", "test"), ("val", "validation"))
        if found.get(split)
    ]
    if found.get("test") and "without" in found:
        rest = found["without"]
        first, _ = task_words.main_numbers(metrics)
        told = (
            f"{task_words.title(first)} {task_words.with_interval(first, rest)}"
        )
        if first == "accuracy":
            told = (
                f"{percent(rest['accuracy'])} are right (95 % interval "
                f"{interval(rest['accuracy_interval'])})"
            )
        lines[0] += f"; of the other {rest['examples']:,} {told}"
    return lines
