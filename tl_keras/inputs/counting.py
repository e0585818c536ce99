"""Counts in words: singular and plural, one in how many, how often.

    counted(1, "picture", "pictures")    # "1 picture"

In: numbers. Out: short texts.
"""

from collections.abc import Sequence

OFTEN = 0.2  # a larger share is told in hundreds: "one in 1.4" says little
SINGLE_DIGITS = 10  # below, one digit behind the point says more


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun.

    Args:
        count: 0 or more.
        one, many: the noun, singular and plural.

    Returns:
        "1 picture", "1,200 pictures".
    """
    return f"{count:,} {one if count == 1 else many}"


def one_in(number: float | None) -> str:
    """29.94 -> "30", 2.5 -> "2.5": of how many one is such."""
    if number is None:
        return "very many"
    if number < SINGLE_DIGITS:
        return f"{number:.1f}".removesuffix(".0")
    return f"{number:,.0f}"


def how_often(
    right: float,
    ends: Sequence[float],
    one: str,
    many: str,
    verb: str,
    verbs: str,
) -> str:
    """How many of them are not right, and between what it lies.

    Args:
        right: the share that is, 0 to below 1.
        ends: of its interval.
        one, many: what is counted, singular and plural.
        verb, verbs: what is said of one, and of several.

    Returns:
        "About one picture in 20 is wrong; in the long run between one in 17
        and one in 25.", or of 100 where it is often.
    """
    low, high = ends
    if 1 - right > OFTEN:
        return (
            f"Of 100 {many} about {100 * (1 - right):.0f} {verbs}; in the long "
            f"run {100 * (1 - high):.0f} to {100 * (1 - low):.0f}."
        )
    found, worst, best = (
        one_in(1 / (1 - share) if share < 1 else None)
        for share in (right, low, high)
    )
    return (
        f"About one {one} in {found} {verb}; in the long run between one in "
        f"{worst} and one in {best}."
    )
