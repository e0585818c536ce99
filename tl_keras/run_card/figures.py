"""Numbers as the page writes them.

In: shares, differences, losses. Out: texts.
"""

from collections.abc import Sequence


def percent(share: float) -> str:
    """0.9648 -> "96.5 %"."""
    return f"{100 * share:.1f} %"


def interval(pair: Sequence[float]) -> str:
    """(0.955, 0.973) -> "95.5 to 97.3 %"."""
    return f"{100 * pair[0]:.1f} to {100 * pair[1]:.1f} %"


def points(difference: float) -> str:
    """-0.012 -> "-1.2"; a difference of shares in points, with its sign."""
    text = f"{100 * difference:+.1f}"
    return "0.0" if text in ("-0.0", "+0.0") else text


def p_value(value: float) -> str:
    """0.0421 -> "p = 0.042"; tiny ones say no more than that they are."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def short_loss(value: float) -> str:
    """A cross-entropy as it is compared: three digits behind the point."""
    return f"{value:.3f}"
