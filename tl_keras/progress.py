"""How far long work has come: counted silently, shown by whoever listens.

    for picture in progress.counted(pictures, "reading", len(pictures)):
        ...                                  # in a piece of the library
    with progress.doing("verifying", 300, "pictures") as work:
        work.advance(32)

In: what a piece does, how much there is of it, and each step. Out: nothing but
`current`, which a console asks as often as it likes; and a line to `log` of
counted work that took seconds.
"""

import contextlib
import dataclasses
import time
from collections.abc import Iterable, Iterator

from tl_keras import log

SINGULAR = {"batches": "batch", "penalties": "penalty"}
RATE_FROM = 0.5  # seconds; a rate of less is a guess
TOLD_FROM = 2.0  # seconds that counted work takes, for a line of its own


@dataclasses.dataclass(eq=False)
class Work:
    """A piece of work under way.

    Attributes:
        what: in a word or two, as it is shown.
        total: how much there is to do; None where nobody knows.
        unit: what is counted, "pictures".
        done: how much of it is done.
        began: when, on `time.monotonic`.
    """

    what: str
    total: int | None = None
    unit: str = ""
    done: int = 0
    began: float = dataclasses.field(default_factory=lambda: time.monotonic())
    # The first step is set aside: it pays for what the others find made.
    _first: tuple[float, int] | None = None

    def advance(self, count: int = 1) -> None:
        """So much more is done."""
        self.done += count
        if self._first is None:
            self._first = time.monotonic(), self.done

    def steady(self) -> None:
        """What was done until now says nothing of how long the rest takes."""
        self._first = time.monotonic(), self.done

    def rate(self, now: float) -> float | None:
        """How much is done in a second; None where that is not known yet."""
        if self._first is None:
            return None
        since, before = self._first
        if self.done == before or now - since < RATE_FROM:
            return None
        return (self.done - before) / (now - since)

    def seconds_left(self, now: float) -> float | None:
        """About how long the rest takes; None where that is not known."""
        rate = self.rate(now)
        if not rate or self.total is None:
            return None
        return max(0, self.total - self.done) / rate


_open: list[Work] = []


def current() -> Work | None:
    """The innermost work under way, if any."""
    # One look: another thread may end it meanwhile.
    under_way = _open[-1:]
    return under_way[0] if under_way else None


@contextlib.contextmanager
def doing(
    what: str, total: int | None = None, unit: str = "", *, line: bool = True
) -> Iterator[Work]:
    """Inside, some work is under way.

    Args:
        what: in a word or two: "features".
        total: how much there is to do; None where nobody knows.
        unit: what is counted, "pictures".
        line: whether it leaves one where it took seconds.

    Returns:
        A context of the `Work`, whose `advance` says what is done.

    Example:
        with doing("features", len(pictures), "pictures") as work:
            for batch in batches:
                compute(batch)
                work.advance(len(batch))
    """
    work = Work(what, total, unit)
    _open.append(work)
    try:
        yield work
    finally:
        _open.remove(work)
    seconds = time.monotonic() - work.began
    if line and work.unit and work.done and seconds >= TOLD_FROM:
        log.info(
            f"{work.what}: {units(work.done, work.unit)} in {in_words(seconds)}"
        )


def counted(
    items: Iterable, what: str, total: int | None = None, unit: str = "pictures"
) -> Iterator:
    """The items, each counted when the next one is asked for.

    Args:
        items: anything.
        what: in a word or two: "reading".
        total: how many; None where nobody knows.
        unit: what they are.

    Returns:
        The same items, in their order.

    Example:
        for picture in counted(pictures, "reading", len(pictures)): ...
    """
    with doing(what, total, unit) as work:
        for item in items:
            yield item
            work.advance()


def units(count: int, many: str) -> str:
    """ "1 picture", "1,200 pictures"."""
    if count != 1:
        return f"{count:,} {many}"
    return f"1 {SINGULAR.get(many) or many.removesuffix('s')}"


def in_words(seconds: float) -> str:
    """ "4.2 s", "48 s", "3 min 5 s", "2 h 10 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"
