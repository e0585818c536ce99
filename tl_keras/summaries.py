"""What an object says of itself in a prompt and in a notebook: little.

    class Split(Summarized):
        def summary(self) -> str: ...
        def summary_rows(self) -> list[Sequence]: ...

In: an object's own line, and rows of a small table. Out: `__repr__`, and
`_repr_html_`, which notebooks show. A dataclass of arrays would print all of
them otherwise, thousands of lines at the end of a cell.
"""

import html
from collections.abc import Iterable, Sequence

MAX_NAMES = 8
MAX_ROWS = 20


class Summarized:
    """Base of what is shown short; a dataclass takes `repr=False` beside it."""

    def summary(self) -> str:
        """One line, without the name of the class."""
        raise NotImplementedError

    def summary_rows(self) -> list[Sequence]:
        """Rows of a table, the first its head; none for no table."""
        return []

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary()})"

    def _repr_html_(self) -> str:
        said = f"<p>{html.escape(repr(self))}</p>"
        rows = self.summary_rows()
        return said + table(rows) if rows else said


def table(rows: Sequence[Sequence]) -> str:
    """An HTML table; every cell is escaped.

    Args:
        rows: the first is the head. Of more than `MAX_ROWS` below it the
            others are counted.

    Returns:
        HTML.
    """
    head, *body = rows
    lines = [_row(head, "th"), *(_row(r, "td") for r in body[:MAX_ROWS])]
    if len(body) > MAX_ROWS:
        lines.append(_row([f"and {len(body) - MAX_ROWS:,} more"], "td"))
    return f"<table>{''.join(lines)}</table>"


def _row(cells: Iterable, tag: str) -> str:
    inside = "".join(f"<{tag}>{html.escape(str(c))}</{tag}>" for c in cells)
    return f"<tr>{inside}</tr>"


def some_names(names: Sequence[str]) -> str:
    """ "3: 'a', 'b', 'c'"; of many, how many there are and the first ones.

    Args:
        names: as people gave them; what moves a cursor is written out.
    """
    shown = ", ".join(map(repr, names[:MAX_NAMES]))
    more = ", ..." if len(names) > MAX_NAMES else ""
    return f"{len(names):,}: {shown}{more}"


def with_interval(numbers, name: str, digits: int = 3) -> str:
    """ "0.931 (0.912 to 0.950)".

    Args:
        numbers: name -> number, and `<name>_interval` -> two of them.
        name: of the number.
        digits: behind the point.

    Returns:
        A text.
    """
    low, high = numbers[f"{name}_interval"]
    return f"{numbers[name]:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
