"""Numbers -> the words of a verdict, the same on the page and in report.md.

In: metrics with their `card`. Out: a sentence and the lines under it. Shares
are percent with one digit, differences are points of percent.
"""

from collections.abc import Mapping

from tl_keras.inputs.counting import counted
from tl_keras.inputs.kinds import nouns
from tl_keras.run_card import task_words
from tl_keras.run_card.figures import (
    interval,
    p_value,
    percent,
    points,
    short_loss,
)
from tl_keras.run_card.published_words import published_lines
from tl_keras.run_card.search_words import kept_by_search

MAX_CHANGED = 5  # pictures that are named
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
        f"In float32 on the CPU the export is the model to "
        f"{small(export['largest_difference'])} of a probability. On the "
        f"device and in the precision of this run its answers to the test "
        f"{many} are up to {small(found['largest_difference'])} from the "
        f"evaluation, where rounding moves the model's own by "
        f"{small(found['movement'])} (natural logarithm)."
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


def small(value: float) -> str:
    """0.00071234 -> "0.00071"; a difference, with two digits."""
    return f"{value:.2g}"


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
            f"Sets of classes that shall hold the truth of "
            f"{percent(test['coverage_asked'])} of the {many(metrics)} hold it "
            f"for {percent(test['coverage'])} of the test {many(metrics)}, "
            f"with {test['set_size']:.2f} classes in the mean."
        )
    lines += [
        _compared(c, one(metrics), many(metrics))
        for c in metrics["card"]["comparisons"]
    ]
    return [
        *lines, _kept(metrics), *published_lines(metrics),
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


def _kept(metrics: Mapping) -> str:
    """Which phase's weights are kept, and why."""
    kept, phases = metrics["kept_phase"], metrics["phases"]
    name = phase_name(kept)
    if metrics.get("search"):
        return kept_by_search(metrics)
    if metrics.get("solved_on_all"):
        return _solved_on_all(metrics)
    if len(phases) == 1:
        return f"There was one phase, {name}, and its best weights are kept."
    key, words, order = MONITORS[metrics.get("monitor", "val_loss")]
    values = {p["name"]: p["at_best_epoch"].get(key) for p in phases}
    if None in values.values():
        return (
            f"Kept are the weights of the last phase, {name}: there was "
            "nothing to validate on."
        )

    def shown(value: float) -> str:
        return order.format(value).replace("%", " %")

    others = ", ".join(
        f"{phase_name(n)} {shown(v)}" for n, v in values.items() if n != kept
    )
    tie = all(v == values[kept] for v in values.values())
    why = "the earlier of equals on validation" if tie else words
    tried = "".join(f" {line}" for line in map(interpolated, phases) if line)
    return (
        f"Kept are the weights of the phase {name}: {why} "
        f"({shown(values[kept])}; {others}).{tried} The test {many(metrics)} "
        "had no say."
    )


def _solved_on_all(metrics: Mapping) -> str:
    """Of a head that validation's labels had a part in."""
    labels = metrics["solved_on_all"]
    unsure = "".join(
        f" The phase {phase_name(phase['name'])} was not surely better than "
        f"it on validation ({p_value(phase['gain']['p_value'])} by a paired "
        "t-test)."
        for phase in metrics["phases"]
        if phase.get("share")
    )
    return (
        "Kept is the frozen head, solved once more on all "
        f"{labels['examples']:,} labels, the {labels['validation_examples']:,} "
        f"of validation too.{unsure} How sure it is was judged by solutions "
        "that had no part in what they judged; the test "
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
            f"Of the weights between where the phase {name} began and its "
            "best epoch, none were better there than where it began."
        )
    return (
        f"The weights of the phase {name} lie {100 * share:.0f} % of the way "
        "from where it began to its best epoch: better there than at the "
        f"start, {p_value(phase['gain']['p_value'])} by a paired t-test on "
        "the validation examples, which chose them too."
    )
