"""Numbers of several labels -> what they are good for, and what to do next.

    verdict(truth, given, metrics["test"], ("picture", "pictures"))
    to_do(metrics["test"], names, ("picture", "pictures"))

In: what is true and what is given, and the numbers of the test split. Out:
sentences for a page, each of which rests on one of these numbers.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tl_keras.inputs.counting import counted, how_often, one_in

# A label that fewer test examples have says nothing sure.
FEW = 10
# A label is missed, or given wrongly, where it is so often.
MISSED = 0.3
MAX_NAMED = 5  # labels


def verdict(
    truth: np.ndarray, given: np.ndarray, test: Mapping, nouns: Sequence[str]
) -> list[str]:
    """What the answers are good for.

    Args:
        truth, given: bool (n, labels).
        test: numbers of the test split, as in metrics.json.
        nouns: what an example is called, and several.

    Returns:
        Sentences.
    """
    if test["map_interval"][0] <= truth.mean():
        return [
            "Of no use yet: it does not clearly rank labels better than chance "
            "does."
        ]
    right, said, there = (
        int(cells.sum()) for cells in (truth & given, given, truth)
    )
    lines = []
    if said and there:
        lines.append(
            f"Of 100 labels that it gives, {100 * right / said:.0f} are right; "
            f"of 100 that are there, it gives {100 * right / there:.0f}."
        )
    return [*lines, _whole(test, nouns)]


def _whole(test: Mapping, nouns: Sequence[str]) -> str:
    """How often a person would have to change something."""
    share, ends = test["exact_match"], test["exact_match_interval"]
    one, many = nouns
    if share == 1:
        return (
            f"It had all labels of every test {one} right; in the long run up "
            f"to one {one} in {one_in(1 / (1 - ends[0]))} may have a wrong one."
        )
    wrong = "a label too many or too few"
    return how_often(share, ends, one, many, f"has {wrong}", f"have {wrong}")


def to_do(
    test: Mapping, names: Sequence[str], nouns: Sequence[str]
) -> list[str]:
    """Which labels want more examples, or a look.

    Args:
        test: numbers of the test split, as in metrics.json.
        names: of the labels.
        nouns: what an example is called, and several.

    Returns:
        Sentences.
    """
    rows = {name: test["per_label"][name] for name in names}
    lines = []
    known = {n: row for n, row in rows.items() if row["support"] >= FEW}
    if known:
        name = min(known, key=lambda n: known[n]["recall"])
        if known[name]["recall"] < 1 - MISSED:
            lines.append(
                f"More {nouns[1]} of {name} first: of "
                f"{known[name]['support']:,} that have it, "
                f"{100 * known[name]['recall']:.0f} % are found."
            )
        name = min(known, key=lambda n: known[n]["precision"])
        if known[name]["precision"] < 1 - MISSED:
            lines.append(
                f"Look at the {nouns[1]} that are given {name}: "
                f"{100 * known[name]['precision']:.0f} % of them have it. Is "
                "it missing in the table where it is there to see?"
            )
    rare = [n for n, row in rows.items() if row["support"] < FEW]
    if rare:
        told = ", ".join(rare[:MAX_NAMED]) + ", ..." * (len(rare) > MAX_NAMED)
        most = max(rows[n]["support"] for n in rare)
        lines.append(
            f"Test on more {nouns[1]} with {told}: "
            f"{counted(most, 'example says', 'examples say')} little."
        )
    return lines
