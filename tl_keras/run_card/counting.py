"""Counts in words: singular and plural, and one in how many.

    counted(1, "picture", "pictures")    # "1 picture"

In: numbers. Out: short texts.
"""

SINGLE_DIGITS = 10  # below, one digit behind the point says more


def counted(count: int, one: str, many: str) -> str:
    """ "1 picture", "1,200 pictures"."""
    return f"{count:,} {one if count == 1 else many}"


def one_in(share: float) -> str:
    """0.0334 -> "30", 0.4 -> "2.5": of how many one is such."""
    if share <= 0:
        return "very many"
    number = 1 / share
    if number < SINGLE_DIGITS:
        return f"{number:.1f}".removesuffix(".0")
    return f"{number:,.0f}"
