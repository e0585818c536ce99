"""Numbers -> what they are good for, and what to do next, in plain words.

    verdict(metrics); to_do(metrics); limits(metrics)

In: metrics with their `card`; what is said of another task than one class of
several, the task itself words (`Task.card`). Out: sentences, each of which
rests on a number of the run.
"""

from collections.abc import Mapping

from tl_keras.inputs.counting import counted, how_often, one_in
from tl_keras.run_card.figures import percent
from tl_keras.run_card.task_words import SHARES, main_numbers, of_classes
from tl_keras.run_card.words import many, one

# An interval wider than this leaves open what the model is good for.
WIDE = 0.10
WIDE_NUMBER = 0.25  # of the number itself, where that is no share
# Mean distance of probabilities from the truth that is worth a warning.
OFF = 0.05
# Answers above a probability are sure where so many of them are right, and
# worth sorting out where they are so many.
SURE, WORTH = 0.99, 0.2
# A pair of classes is worth a look from so many mistakes on.
CONFUSED = 3
# A class is missed where its recall is so far below the whole.
MISSED = 0.1
# What stands beside a run -> what it is, where it should be used instead.
SIMPLER = {
    "baseline": "TF-IDF with a linear model, which needs no network",
    "scratch": "the same network trained from random weights",
}
NOT_PUBLISHED = (
    "Mend what kept it from being published, named above, and train again; "
    "an earlier version, where there is one, is served as before."
)
MAX_NAMED = 10  # classes


def verdict(metrics: Mapping) -> list[str]:
    """What the model is good enough for, and why one cannot be sure.

    Args:
        metrics: of a run, with their card.

    Returns:
        Sentences; none where nothing was evaluated.
    """
    if "test" not in metrics:
        return []
    test, card = metrics["test"], metrics["card"]
    if not of_classes(metrics):
        # Each task says in its own words what its numbers are good for.
        told = card.get("section", {}).get("verdict", ())
        return [*told, *_beaten(metrics), *_unsure(metrics)] if told else []
    if "majority" not in card:
        return []
    accuracy, low = test["accuracy"], test["accuracy_interval"][0]
    if low <= card["majority"]["accuracy"]:
        return [
            "Of no use yet: it is not clearly better than always answering "
            f"{card['majority']['class']}."
        ]
    names = many(metrics)
    if accuracy == 1:
        lines = [
            f"It had no test {one(metrics)} wrong; in the long run up to one "
            f"in {one_in(card['one_in']['worst'])} may be."
        ]
    else:
        lines = [
            how_often(
                accuracy, test["accuracy_interval"], one(metrics), names,
                "is answered wrongly", "are answered wrongly",
            )
        ]  # fmt: skip
    lines += [*_above(card, names), *_beaten(metrics)]
    return [*lines, *_unsure(metrics)]


def _above(card: Mapping, names: str) -> list[str]:
    """From which probability on its answers may stand as they are."""
    for row in card["thresholds"]:
        if not row["answered"] or row["coverage"] < WORTH:
            continue
        if row["interval"][0] >= SURE:
            told = f"Above a probability of {row['threshold']:g}"
            if row["coverage"] == 1:
                told = "Whatever their probability"
            return [
                f"{told} its answers can stand as they are: "
                f"{percent(row['accuracy'])} of them are right, and they are "
                f"{percent(row['coverage'])} of the {names}. A person should "
                "look at the others."
            ]
    return [
        f"There is no probability above which clearly {percent(SURE)} of its "
        "answers are right: take them as suggestions for a person to check."
    ]


def _beaten(metrics: Mapping) -> list[str]:
    """What stands beside and is clearly better, if anything is."""
    if "published" in metrics:
        return []
    return [
        f"Use {SIMPLER[row['first']]}, instead: it is clearly better here."
        for row in metrics["card"]["comparisons"]
        if row["first"] in SIMPLER and row["verdict"] == "worse"
    ]


def _is_wide(metrics: Mapping) -> bool:
    """Whether the interval of the first number leaves open what it is."""
    main, _ = main_numbers(metrics)
    test = metrics["test"]
    # Where all are ranked right, no draw has another mAP, however few they are.
    low, high = test.get("exact_match_interval", test[f"{main}_interval"])
    if main in SHARES:
        return high - low > WIDE
    return high - low > WIDE_NUMBER * test[main]


def _unsure(metrics: Mapping) -> list[str]:
    """What keeps these numbers from saying more."""
    test, names = metrics["test"], many(metrics)
    lines = []
    if _is_wide(metrics):
        lines.append(
            f"Not sure, because the test split has "
            f"{counted(test['examples'], one(metrics), names)}: four times as "
            "many would halve the interval."
        )
    calibration = metrics["card"].get("calibration", test)
    error = calibration.get("ece", 0.0)
    if error > OFF:
        lines.append(
            f"Its probabilities are off by {percent(error)} on average: do "
            "not read them as frequencies."
        )
    if metrics.get("leakage", {}).get("test"):
        lines.append(
            f"Some test {names} were trained on: judge by the number without "
            "them."
        )
    return lines


def to_do(metrics: Mapping) -> list[str]:
    """What to do next: labels, a look, deeper or not.

    Args:
        metrics: of a run, with their card.

    Returns:
        Sentences, what stands in the run's own advice first.
    """
    lines = measured_advice(metrics)
    if "test" not in metrics:
        return lines
    if not metrics.get("export", True):
        lines = [NOT_PUBLISHED, *lines]
    if of_classes(metrics):
        lines += [] if measured_advice(metrics) else _more_labels(metrics)
        lines += [*_doubted(metrics), *_confused(metrics)]
    else:
        lines += metrics["card"].get("section", {}).get("to_do", ())
        lines += _doubted(metrics)
    return [*lines, *deeper_or_not(metrics)]


def measured_advice(metrics: Mapping) -> list[str]:
    """What the run itself found out for advice."""
    return list(metrics.get("advice", {}).get("sentences", ()))


def _more_labels(metrics: Mapping) -> list[str]:
    """The class that is missed most, with what it had to learn from."""
    test, card = metrics["test"], metrics["card"]
    names = metrics["class_names"]
    rows = [
        (test["per_class"][names[n]], names[n], n)
        for n in card.get("worst_classes", ())
        if test["per_class"][names[n]]["support"]
    ]
    if not rows:
        return []
    row, name, number = min(rows, key=lambda found: found[0]["recall"])
    if row["recall"] > test["accuracy"] - MISSED:
        return []
    trained = card.get("class_counts", {}).get("train", [])
    had = f", from {trained[number]:,} to train on" if trained else ""
    return [
        f"More labels of {name} first: {percent(row['recall'])} of its test "
        f"{many(metrics)} are found{had}."
    ]


def _doubted(metrics: Mapping) -> list[str]:
    """Labels of training that a person should look at."""
    doubted = metrics["card"]["data"].get("suspects_in_all", 0)
    if not doubted:
        return []
    those = counted(doubted, "doubtful label", "doubtful labels")
    return [
        f"Look at {those}, under Data below: a wrong label costs more than a "
        "missing one."
    ]


def _confused(metrics: Mapping) -> list[str]:
    """The pair of classes that a person should look at."""
    card, names = metrics["card"], metrics["class_names"]
    pairs = card.get("confused_pairs", ())
    if not pairs or pairs[0]["count"] < CONFUSED:
        return []
    pair = pairs[0]
    return [
        f"Look at where {names[pair['true']]} is taken for "
        f"{names[pair['predicted']]} ({pair['count']:,} of "
        f"{pair['of']:,}): would two people agree on these?"
    ]


def deeper_or_not(metrics: Mapping) -> list[str]:
    """Whether more layers should train; nothing where nobody tried, or where
    a search has tried several depths."""
    if "search" in metrics:
        return []
    pair = next(
        (
            row
            for row in metrics.get("card", {}).get("comparisons", ())
            if row["first"] == "head" and row["second"] == "fine_tune"
        ),
        None,
    )
    if pair is None:
        return []
    if pair["verdict"] == "better":
        return [
            "Deeper pays: try an earlier --unfreeze_from, or more "
            "--fine_tune_epochs."
        ]
    if pair["verdict"] == "worse":
        return [
            "Deeper costs: --fine_tune_epochs=0 is quicker and better, until "
            "there are more labels."
        ]
    return [
        "Deeper does not clearly pay: --fine_tune_epochs=0 is quicker; labels "
        "are worth more than epochs here."
    ]


def limits(metrics: Mapping) -> list[str]:
    """What the model is for, and what these numbers do not say.

    Args:
        metrics: of a run, with their card.
    """
    if "test" not in metrics:
        return []
    names = metrics["class_names"]
    count = len(names)
    told = ", ".join(names[:MAX_NAMED])
    if count > MAX_NAMED:
        told += f" and {count - MAX_NAMED:,} more"
    use = (
        f"each of which is one of {counted(count, 'class', 'classes')}: "
        f"{told}. Whatever else it is shown gets one of these names too."
    )
    if not of_classes(metrics):
        use = (
            f"for each of which it gives {told}. Whatever else it is shown "
            "gets an answer too."
        )
    lines = [
        f"For {many(metrics)} like those it was trained on, {use}",
        f"The numbers hold for {many(metrics)} drawn as the test split was. "
        "Other places, people, devices or years were not measured: evaluate "
        "it on some of them before it is relied on there.",
    ]
    if not metrics["card"]["settings"].get("group_column"):
        lines.append(
            f"Nothing says which {many(metrics)} belong together (of one "
            "person, patient or series): where some of them were trained on "
            "and others tested on, the numbers are too good (--group_column "
            "keeps each group in one split)."
        )
    lines.append(
        "It was not measured whether it errs more for some groups of people "
        "than for others; it should not decide about a person on its own."
    )
    return lines
