"""Cells of a table as labels, marks and numbers; no TensorFlow."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_keras.data import (
    labels_by_path,
    read_marks,
    read_numbers,
    read_table,
    separators_in,
    split_labels,
    target_facts,
)
from tl_keras.data.examples import label_text
from tl_keras.data.labels import LIST, MARKS
from tl_keras.data.readings import column_facts

# Cells -> their values, "missing" or words of why they are refused.
NUMBERS = {
    "plain": (["12", "-1.5", "+3e2", ".5", "5."], [12, -1.5, 300, 0.5, 5]),
    "not known": (
        ["1", "", "NaN", "N/A", "null", "-", "<NA>"],
        [1, *["missing"] * 6],
    ),
    "not finite": (["1", "inf", "-Infinity"], [1, "finite", "finite"]),
    "too large": (["1e39", "-1e400"], ["float32", "float32"]),
    "decimal comma": (["12,5", "3"], [12.5, 3]),
    "decimal comma, points": (["1.234,5", "1.234"], [1234.5, 1234]),
    "decimal comma by another cell": (["1,234", "1,5"], [1.234, 1.5]),
    "a nought before no thousands": (["0,123"], [0.123]),
    "thousands": (["1,234.5", "1,000"], [1234.5, 1000]),
    "thousands alone": (["1,234,567", "1,000"], [1234567, 1000]),
    "blanks between thousands": (["1 234", "1'234", "1 234,5"],
                                 [1234, 1234, 1234.5]),
    "two readings": (["1,234", "5"], ["can be 1.234 or 1234", 5]),
    "both marks": (["3.5", "12,5", "1,234"], [3.5, 12.5, "can be 1.234 or"]),
    "a point is a point": (["1.234", "5.678"], [1.234, 5.678]),
    "units": (["12 cm", "13.5cm"], [12, 13.5]),
    "currency": (["$5", "$ 1,234.00"], [5, 1234]),
    "percent": (["5%", "6 %"], [5, 6]),
    "plural": (["1 year", "2 Years"], [1, 2]),
    "two units": (["1 cm", "2 cm", "3 m"], [1, 2, "has the unit m, where 2"]),
    "m is not ms": (["1 m", "2 m", "3 ms"], [1, 2, "has the unit ms"]),
    "a unit is missing": (["1", "2 cm", "3 cm"], ["has no unit", 2, 3]),
    "a unit too many": (["1", "2", "3 cm"], [1, 2, "has the unit cm"]),
    "other texts": (
        ["12-15", "65+", ">65", "(5)", "5'11\"", "2020-01-01", "12:30", "cat",
         "0x10", "1_000", "1,23,45", "12 34", "9" * 61],
        ["is no number"] * 13,
    ),
    "a minus of print": (["−5"], [-5]),
}  # fmt: skip


@pytest.mark.parametrize("case", NUMBERS)
def test_each_cell_is_a_number_missing_or_refused(case):
    cells, expected = NUMBERS[case]
    numbers = read_numbers(cells)
    assert len(numbers.values) == len(cells)
    for place, wanted in enumerate(expected):
        if wanted == "missing":
            assert place in numbers.missing
        elif isinstance(wanted, str):
            assert wanted in numbers.refused[place]
            assert " - " in numbers.refused[place]
        else:
            assert numbers.values[place] == wanted
            assert place not in {**numbers.missing, **numbers.refused}
        assert np.isnan(numbers.values[place]) == isinstance(wanted, str)


def test_what_is_read_otherwise_than_it_stands_is_told():
    assert read_numbers(["1.5", " 2 ", "1e3", "-0"]).told == ()
    comma, unit = read_numbers(["1,5 cm", "2 cm", "2,5 cm"]).told
    assert comma.startswith("2 cells are written with a decimal comma")
    assert "1,5 cm is read as 1.5" in comma
    assert unit == "the unit cm is left out of all cells"
    # The second cell is a float as it stands, and another one.
    (line,) = read_numbers(["1,5", "1.234"]).told
    assert line.startswith("2 cells")


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_numbers_as_python_writes_them_come_back(values):
    numbers = read_numbers([repr(value) for value in values])
    np.testing.assert_array_equal(numbers.values, values)
    assert numbers.told == ()


@given(st.lists(st.decimals(-(10**6), 10**6, places=2), min_size=1))
def test_two_decimals_leave_one_reading_of_the_comma(values):
    cells = [str(value).replace(".", ",") for value in values]
    np.testing.assert_array_equal(
        read_numbers(cells).values, [float(value) for value in values]
    )


@given(st.lists(st.text(max_size=70), max_size=8))
def test_any_text_is_finite_missing_or_refused(cells):
    numbers = read_numbers(cells)
    for place, value in enumerate(numbers.values):
        out = (place in numbers.missing) + (place in numbers.refused)
        assert out + math.isfinite(value) == 1
    column_facts("x", cells)


LABEL = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)


@given(
    st.lists(st.lists(LABEL, unique=True), max_size=6),
    st.sampled_from(MARKS),
)
def test_joined_labels_come_apart_again(rows, mark):
    cells = [mark.join(row) for row in rows]
    assert [split_labels(c, mark) for c in cells] == [tuple(r) for r in rows]
    found = {one.mark: one for one in separators_in(cells)}
    several = sum(len(row) > 1 for row in rows)
    assert (mark in found) == bool(several)
    if several:
        assert found[mark].cells == several
        assert found[mark].labels == len({label for r in rows for label in r})


@given(st.lists(st.lists(LABEL), max_size=6))
def test_a_list_of_json_or_python_comes_apart(rows):
    for cells in ([str(row) for row in rows], [str(tuple(r)) for r in rows]):
        for cell, row in zip(cells, rows, strict=True):
            assert split_labels(cell, LIST) == tuple(dict.fromkeys(row))


@pytest.mark.parametrize(
    ("cell", "mark", "labels"),
    [
        (" cat | outdoor |", "|", ("cat", "outdoor")),
        ("cat, dog,cat", ",", ("cat", "dog")),
        ('"red, dark", blue', ",", ("red, dark", "blue")),
        ('a "b, c', ",", ('a "b', "c")),
        ("haze  primary", " ", ("haze", "primary")),
        ("cat", "", ("cat",)),
        ("", "|", ()),
        ("[cat, dog]", LIST, ("[cat, dog]",)),
        ("[1, 2]", LIST, ("1", "2")),
        ("[]", LIST, ()),
        ("[" * 3000 + "]" * 3000, LIST, ("[" * 3000 + "]" * 3000,)),
    ],
)
def test_labels_of_a_cell(cell, mark, labels):
    assert split_labels(cell, mark) == labels


def test_what_speaks_for_a_separator():
    (found,) = separators_in(["cat|dog", "dog", "cat|fox", "", "dog"])
    assert found == ("|", 2, 3, 3)
    assert not found.in_names
    (names,) = separators_in(["golden retriever", "tabby cat", "pug"])
    assert names.in_names
    assert not names.combines  # five labels of three names
    (sky,) = separators_in(
        ["haze primary", "clear primary", "haze water", "clear water",
         "clear primary water"]
    )  # fmt: skip
    assert (sky.labels, sky.names, sky.combines) == (4, 5, True)
    (listed,) = separators_in(['["a, b", "c"]', "[]"])
    assert listed == (LIST, 2, 2, 2)
    first, second = separators_in(["a;b c", "a;b", "c"])
    assert (first.mark, second.mark) == (";", " ")


def test_marks_of_a_column():
    marks = read_marks(["1", "0", "1.0", "TRUE", "no", "", "-1", "2", "x"])
    assert marks.values.tolist() == [1, 0, 1, 1, 0, 0, 0, 0, 1]
    assert marks.missing == (5,)
    assert set(marks.refused) == {6, 7}
    assert read_marks(["-1", "1"], minus_is_no=True).refused == {}


def test_facts_of_columns():
    columns = {
        "path": ["1.jpg", "2.jpg", "2.jpg", "3.jpg", "3.jpg"],
        "split": ["train"] * 5,
        "label": ["cat|dog", "dog", "cat", "fox", "fox"],
        "age": ["31 years", "N/A", "12 years", "5 years", "5 years"],
        "wild": ["0", "1", "1", "0", "0"],
        "face": ["-1", "1", "-1", "1", "1"],
        "name": ["none", "Rex", "", "Ada", "Ada"],
    }
    facts = target_facts(columns)
    assert tuple(facts.columns) == ("label", "age", "wild", "face", "name")
    assert facts.marked == ("wild", "face")
    assert facts.columns["face"].minus
    assert not facts.columns["wild"].minus
    assert facts.numeric == ("age", "wild", "face")
    age = facts.columns["age"]
    assert (age.rows, age.filled, age.unknown, age.numeric) == (5, 5, 1, 4)
    assert (age.whole, age.unit) == (4, "years")
    assert [s.mark for s in facts.columns["label"].separators] == ["|"]
    assert facts.columns["name"].filled == 4
    assert (facts.rows, dict(facts.repeated), facts.same) == (
        5, {"2.jpg": 2}, 1,
    )  # fmt: skip


def test_the_labels_of_all_rows_of_a_path():
    gathered = labels_by_path(
        ["1", "2", "1", "1"], [("a",), (), ("b",), ("a",)]
    )
    assert gathered == {"1": ("a", "b"), "2": ()}


def test_raw_cells_of_a_file(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text('filename,age,colours\n1.jpg," 3 ","a, b"\n\n2.jpg,,c\n')
    table = read_table(str(file))
    assert table.columns == {
        "path": ("1.jpg", "2.jpg"), "age": (" 3 ", ""),
        "colours": ("a, b", "c"),
    }  # fmt: skip
    assert table.where == (f"{file}:2", f"{file}:4")
    assert table.told == ("paths are from the column filename",)
    labelled = read_table(str(file), label_column="colours")
    assert labelled.columns["label"] == ("a, b", "c")


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (np.float32([44.335]), "44.335"),
        (np.float32([5, -0.25, 1e20]), "5,-0.25,1e+20"),
        (np.array([1 / 3]), "0.3333333333333333"),
        (np.int32(1), "dog"),
        (np.array([1, 1]), "cat|dog"),
    ],
)
def test_a_label_in_words_is_the_same_again(label, words):
    assert label_text(label, ("cat", "dog")) == words
