"""A column's cells -> numbers, and what was read how.

    numbers = read_numbers(["12 cm", "13,5 cm", "N/A"])
    numbers.values              # [12.0, 13.5, nan]
    numbers.told                # ("the unit cm is left out of all cells", ...)
    numbers.missing             # {2: "says no number"}

In: texts as people and spreadsheets write them. Out: float64 values; which
cells are refused, by their place, with why. A comma, a unit or a blank between
thousands is read where all cells of the column leave one reading alone; where
they leave two, nothing is guessed.
"""

import collections
import dataclasses
import re
from collections.abc import Sequence

import numpy as np

# What people and libraries write for "not known".
NOT_KNOWN = {
    "", "na", "n/a", "n.a.", "nan", "null", "none", "nil", "-", "--", "?", ".",
    "unknown", "missing", "#n/a", "#na", "<na>", "nat", "undefined", "void",
}  # fmt: skip
_CURRENCY = "$€£¥"
# A digit, blanks or ' between groups of three, points, commas, an exponent.
_NUMBER = r"[+-]?(?:\d[\d.,' ]*|[.,]\d+)(?:[eE][+-]?\d+)?"
_CELL = re.compile(
    rf"(?P<before>[{_CURRENCY}]?) ?(?P<number>{_NUMBER})"
    r" ?(?P<unit>[^\W\d_]*[^\s\d.,'+\-<>=~()\[\]{}:;|\"!?]*)"
)
# Thousands do not begin with a nought: 0,123 has a decimal comma.
_GROUPED = r"[1-9]\d{{0,2}}(?:{mark}\d{{3}})+"
# As programs write numbers; what most cells are.
_PLAIN = re.compile(r"[+-]?\d+(\.\d*)?")
MAX_LENGTH = 60  # characters; no number is longer
MAX_FLOAT32 = float(np.finfo(np.float32).max)


@dataclasses.dataclass(frozen=True)
class Numbers:
    """What a column's cells are as numbers.

    Attributes:
        values: float64 (cells,); nan where a cell is missing or refused.
        missing: place -> why, for cells that say "not known".
        refused: place -> why, for cells that are no number, or two.
        told: what was read otherwise than it stands, in words.
        unit: that was left out of all cells; "" for none.
    """

    values: np.ndarray
    missing: dict[int, str]
    refused: dict[int, str]
    told: tuple[str, ...] = ()
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class _Cell:
    """A cell taken apart: its readings, by what a comma means, and its unit."""

    text: str
    point: float | None  # 1,234.5: a point before decimals, commas between
    comma: float | None  # 1.234,5: the other way round
    unit: str

    @property
    def readings(self) -> set[float]:
        return {v for v in (self.point, self.comma) if v is not None}


def read_numbers(cells: Sequence[str]) -> Numbers:
    """Reads a column of numbers.

    Args:
        cells: its texts, in the order of the rows.

    Returns:
        `Numbers`; each cell is a finite value, missing, or refused.

    Example:
        numbers = read_numbers(["1,5", "2", "nan"])
        numbers.values[:2], set(numbers.missing)    # ([1.5, 2.0], {2})
    """
    values = np.full(len(cells), np.nan)
    missing, refused, taken = {}, {}, {}
    for place, cell in enumerate(cells):
        text = _plain(cell)
        if text.casefold() in NOT_KNOWN:
            missing[place] = "says no number"
            continue
        parts = _taken_apart(text)
        if isinstance(parts, str):
            refused[place] = parts
        else:
            taken[place] = parts
    unit, of_another_unit = _unit_of(taken)
    refused |= of_another_unit
    taken = {p: cell for p, cell in taken.items() if p not in refused}
    mark = _decimal_mark(taken.values())
    for place, cell in taken.items():
        value = _value(cell, mark)
        if value is None:
            one, two = sorted(cell.readings)
            refused[place] = (
                f"can be {one:g} or {two:g} - write it with a decimal point "
                "and nothing between thousands"
            )
        elif abs(value) > MAX_FLOAT32:
            refused[place] = "is beyond what a float32 holds - check it"
        else:
            values[place] = value
    told = _told(taken, values, unit)
    return Numbers(values, missing, dict(sorted(refused.items())), told, unit)


def _plain(cell: str) -> str:
    """A cell with the blanks, minus and apostrophe of a keyboard."""
    text = cell.replace("−", "-").replace("’", "'")
    return " ".join(text.split())


def _taken_apart(text: str) -> _Cell | str:
    """A cell's readings and its unit; or why it has none."""
    if len(text) <= MAX_LENGTH and (found := _PLAIN.fullmatch(text)):
        value = float(text)
        comma = _reading(text, ",") if found[1] else value
        return _Cell(text, value, comma, "")
    if re.fullmatch(r"[+-]?inf(inity)?", text, re.IGNORECASE):
        return "is not finite - fill in a number, or take the row away"
    found = len(text) <= MAX_LENGTH and _CELL.fullmatch(text)
    if not found:
        return "is no number - write one, such as 12.5"
    unit = found["unit"]
    if found["before"]:
        if unit:
            return "has two units - write the number alone"
        unit = found["before"]
    number = found["number"].strip()
    point, comma = _reading(number, "."), _reading(number, ",")
    if point is None and comma is None:
        return "is no number - write one, such as 12.5"
    return _Cell(text, point, comma, unit)


def _pattern(mark: str, other: str) -> re.Pattern:
    """Numbers in which `mark` stands before the decimals."""
    whole = "|".join(
        [r"\d*", *(_GROUPED.format(mark=m) for m in (other, "'", " "))]
    )
    return re.compile(rf"([+-]?)({whole})(?:{mark}(\d*))?([eE][+-]?\d+)?")


_PATTERNS = {".": _pattern(r"\.", ","), ",": _pattern(",", r"\.")}


def _reading(number: str, mark: str) -> float | None:
    """The value where `mark` stands before the decimals, if it can be."""
    found = _PATTERNS[mark].fullmatch(number)
    if not found or not (found[2] or found[3]):
        return None
    digits = re.sub(r"\D", "", found[2])
    text = f"{found[1]}{digits or 0}.{found[3] or 0}{found[4] or ''}"
    return float(text)


def _decimal_mark(cells) -> str:
    """What stands before the decimals in a column; "" where both may."""
    point = all(cell.point is not None for cell in cells)
    comma = all(cell.comma is not None for cell in cells)
    if point and not any("," in cell.text for cell in cells):
        return "."  # As every language of programming writes numbers.
    if point != comma:
        return "." if point else ","
    return ""


def _value(cell: _Cell, mark: str) -> float | None:
    """A cell's value; None where two are possible."""
    if mark:
        return cell.point if mark == "." else cell.comma
    readings = cell.readings
    return readings.pop() if len(readings) == 1 else None


def _unit_of(taken: dict[int, _Cell]) -> tuple[str, dict[int, str]]:
    """The unit of a column, and the cells that have another, or none."""
    counts = collections.Counter(_alike(cell.unit) for cell in taken.values())
    if not counts or set(counts) == {""}:
        return "", {}
    usual, count = counts.most_common(1)[0]
    shown = next(c.unit for c in taken.values() if _alike(c.unit) == usual)
    odd = {}
    for place, cell in taken.items():
        if _alike(cell.unit) != usual:
            odd[place] = (
                f"has {f'the unit {cell.unit}' if cell.unit else 'no unit'}, "
                f"where {count:,} of {len(taken):,} have {shown or 'none'} - "
                "write all in one unit"
            )
    return shown, odd


def _alike(unit: str) -> str:
    """year, Years -> year; but m is not ms, and mW is not MW."""
    return unit.casefold().removesuffix("s") if len(unit) > 3 else unit


def _told(
    taken: dict[int, _Cell], values: np.ndarray, unit: str
) -> tuple[str, ...]:
    """What was read otherwise than it stands."""
    lines = []
    changed = [
        place
        for place, cell in taken.items()
        if np.isfinite(values[place])
        and _as_python(cell.text.strip(cell.unit + " ")) != values[place]
    ]
    if changed:
        first = changed[0]
        lines.append(
            f"{_counted(len(changed))} written with a decimal comma or marks "
            f"between thousands: {taken[first].text} is read as "
            f"{values[first]:.15g}"
        )
    if unit:
        lines.append(f"the unit {unit} is left out of all cells")
    return tuple(lines)


def _as_python(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _counted(cells: int) -> str:
    return f"{cells:,} cells are" if cells > 1 else "1 cell is"
