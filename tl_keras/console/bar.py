"""Work under way -> one line of a terminal, or a sentence of a log.

    bar_line(work, now, columns=80)
    # features ━━━━━━━━━━───────────  1,204 of 3,670 pictures  41/s  1:00 left

In: a `progress.Work`, the time, a width. Out: text that fits that width.
"""

from tl_keras.progress import Work, in_words, units

FULL, EMPTY = "━", "─"
PLAIN_FULL, PLAIN_EMPTY = "#", "-"
LEAST_BAR, MOST_BAR = 6, 40


def bar_line(
    work: Work, now: float, columns: int, *, plain: bool = False
) -> str:
    """The line, never wider than the terminal less one column.

    Args:
        work: under way.
        now: on `time.monotonic`.
        columns: of the terminal.
        plain: whether the terminal knows ASCII alone.

    Returns:
        The text; what does not fit is left out, the least needed first.
    """
    # In the last column some terminals begin a new line.
    width = max(1, columns - 1)
    parts = _parts(work, now)
    while parts and len("  ".join([work.what, *parts])) > width:
        parts.pop()
    room = width - len("  ".join([work.what, *parts])) - 2
    if work.total and room >= LEAST_BAR:
        full, empty = (PLAIN_FULL, PLAIN_EMPTY) if plain else (FULL, EMPTY)
        length = min(room, MOST_BAR)
        done = min(length, length * work.done // work.total)
        parts.insert(0, full * done + empty * (length - done))
    return "  ".join([work.what, *parts])[:width]


def sentence(work: Work, now: float) -> str:
    """The same for a file: "features: 1,204 of 3,670 pictures, 41/s"."""
    return f"{work.what}: {', '.join(_parts(work, now))}"


def _parts(work: Work, now: float) -> list[str]:
    """What is told of it, the most needed first."""
    if not work.done:
        parts = [in_seconds(now - work.began)]
        if work.total:
            parts.insert(0, f"0 of {units(work.total, work.unit)}")
        return parts
    if work.total is None:
        parts = [units(work.done, work.unit)]
    else:
        parts = [f"{work.done:,} of {units(work.total, work.unit)}"]
    left, rate = work.seconds_left(now), work.rate(now)
    if left is not None:
        parts.append(f"{in_seconds(left)} left")
    if rate is not None:
        parts.append(f"{rate:,.0f}/s" if rate >= 9.5 else f"{rate:.1f}/s")
    return parts


def in_seconds(seconds: float) -> str:
    """ "4 s" where a line changes with each second, else as `in_words`."""
    return f"{round(seconds)} s" if seconds < 10 else in_words(seconds)
