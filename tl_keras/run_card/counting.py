"""Counts in words: singular and plural, and one in how many.

    counted(1, "picture", "pictures")    # "1 picture"

In: numbers. Out: short texts.
"""

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
