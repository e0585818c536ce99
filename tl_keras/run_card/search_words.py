"""What a search tried -> sentences for the run's page.

In: metrics. Out: words.
"""

from collections.abc import Mapping

from tl_keras.run_card.figures import p_value, short_loss

FROZEN = "frozen"


def kept_by_search(metrics: Mapping) -> str:
    """Which way is kept, how sure that is, and what taught it.

    Args:
        metrics: as in metrics.json; a strategy was searched.

    Returns:
        Two sentences or more.
    """
    found = metrics["search"]
    head, *ways = found["candidates"]
    several = len(ways) > 1
    tried = (
        f"{len(ways):,} ways to fine-tune were" if several
        else "One way to fine-tune was"
    )  # fmt: skip
    tried += (
        f" tried on {found['plan']['folds']} folds of {head['examples']:,} "
        "labels"
    )
    if why := found["plan"].get("why"):
        tried += f" ({why})"
    if found["kept"] == FROZEN:
        return (
            f"{tried}: {'none' if several else 'it'} was "
            f"{'' if several else 'not '}clearly better than the frozen head "
            "on labels not learnt, so that the head is kept, solved on all of "
            "them. The test split had no say."
        )
    best = next(way for way in ways if way["name"] == found["kept"])
    made = {
        "average": "The folds' weights were averaged, so that every label has "
        "taught them.",
        "refit": "It was fitted once more, on all labels, as the mean of the "
        "folds' weights answered worse than they do.",
    }[found["made"]]
    return (
        f"{tried}. Kept is the one {best['name']}, "
        f"{100 * found['share']:.0f} % of the way from the frozen head: on "
        f"labels not learnt it cost {short_loss(best['cost'])}, the head "
        f"{short_loss(head['cost'])}, "
        f"{p_value(found['gain']['p_value'])} by a paired t-test on the labels "
        f"that chose it. {made} The test split had no say."
    )
