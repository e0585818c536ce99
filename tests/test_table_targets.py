"""tasks.tables: what a table says, decided by it and told, or asked."""

import numpy as np
import pytest

from tl_keras.errors import ConfigError, DataError
from tl_keras.tasks.tables import CLASSES, read_targets


def written(tmp_path, text: str, name: str = "t.csv") -> str:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def read(tmp_path, text: str, **options):
    return read_targets({"train": written(tmp_path, text)}, **options)


def values(reading) -> list:
    return [row.tolist() for row in reading.targets.rows.values()]


MANY = "path,age\n" + "".join(f"{i}.jpg,{i}\n" for i in range(30))
MANY_LABELS = MANY.replace("age", "label")
# Name -> the table, options, the task, names, first row, words of the reason.
READ = {
    "cells with |": (
        "path,label\n1.jpg,cat|outdoor\n2.jpg,cat\n3.jpg,outdoor\n"
        "4.jpg,cat|outdoor\n5.jpg,dog|cat\n6.jpg,dog|outdoor\n7.jpg,dog\n",
        {}, "multilabel", ("cat", "dog", "outdoor"), [1, 0, 1],
        "4 of 7 cells of label hold '|' between 3 labels",
    ),
    "columns of 0 and 1": (
        "path,cat,dog\n1.jpg,1,1\n2.jpg,0,1\n3.jpg,0,0\n",
        {}, "multilabel", ("cat", "dog"), [1, 1],
        "the columns cat, dog hold 0 and 1 alone",
    ),
    "lists in cells": (
        'path,label\n1.jpg,"[""cat"", ""dog""]"\n2.jpg,"[""eel""]"\n',
        {}, "multilabel", ("cat", "dog", "eel"), [1, 1, 0], "cells of label",
    ),
    "rows that repeat a path": (
        "path,label\n1.jpg,cat\n1.jpg,dog\n2.jpg,cat\n",
        {"task": "multilabel"}, "multilabel", ("cat", "dog"), [1, 1], "--task",
    ),
    "a separator that is given": (
        "path,label\n1.jpg,cat dog\n2.jpg,cat\n",
        {"separator": "space"}, "multilabel", ("cat", "dog"), [1, 1],
        "--label_separator is given",
    ),
    "numbers that are not whole": (
        "path,label\n1.jpg,1.5\n2.jpg,2\n",
        {}, "regression", ("label",), [1.5],
        "all 2 cells of label are numbers, 1 of them not whole",
    ),
    "numbers with a unit and a comma": (
        'path,label\n1.jpg,"12,5 cm"\n2.jpg,"3,25 cm"\n',
        {}, "regression", ("label",), [12.5], "numbers of cm",
    ),
    "a column that is named": (
        "path,age,label\n1.jpg,31.5,cat\n2.jpg,7,dog\n",
        {"target": ("age",)}, "regression", ("age",), [31.5], "cells of age",
    ),
    "two columns that are named": (
        "path,x,y\n1.jpg,1,5\n2.jpg,2,6.5\n",
        {"target": ("x", "y")}, "regression", ("x", "y"), [1, 5],
        "x, y hold numbers alone",
    ),
    "whole numbers, said to be numbers": (
        MANY_LABELS, {"task": "regression"}, "regression", ("label",), [0.0],
        "--task says so",
    ),
    "columns of one 1, said to be classes": (
        "path,cat,dog\n1.jpg,0,1\n2.jpg,1,0\n",
        {"task": "multiclass"}, "multiclass", ("cat", "dog"), 1, "--task",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_what_leaves_one_reading_is_read_and_told(tmp_path, case):
    text, options, task, names, first, words = READ[case]
    reading = read(tmp_path, text, **options)
    assert reading.task == task
    assert reading.targets.names == names
    assert values(reading)[0] == first
    assert words in reading.told[0]
    kind = "f" if task == "regression" else "i"
    assert {x.dtype.kind for x in reading.targets.rows.values()} == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "path,label\n1.jpg,cat\n2.jpg,dog\n",
        "path,label\n1.jpg,0\n2.jpg,1\n",
        "path,label\n1.jpg,golden retriever\n2.jpg,red fox\n",
        "path,label\n1.jpg,cat\n1.jpg,dog\n",
    ],
)
def test_classes_are_what_they_were(tmp_path, text):
    """Also where the listing will find a fault in them."""
    assert read(tmp_path, text) == CLASSES
    assert read(tmp_path, text, task="multiclass") == CLASSES


# Name -> the table, options, and the commands of both readings.
ASKED = {
    "many whole numbers": (
        MANY_LABELS, {}, ("--task=regression", "--task=multiclass"),
    ),
    "a column of whole numbers that is named": (
        MANY, {"target": ("age",)}, ("--task=regression", "--task=multiclass"),
    ),
    "commas between words that stand alone": (
        'path,label\n1.jpg,"cat,dog"\n2.jpg,cat\n3.jpg,dog\n', {},
        ("--task=multilabel --label_separator=comma", "--task=multiclass"),
    ),
    "a comma before what stands alone elsewhere": (
        'path,label\n1.jpg,"cat,dog"\n2.jpg,cat\n', {},
        ("--task=multilabel --label_separator=comma", "--task=multiclass"),
    ),
    "a mark in every cell, none alike": (
        "path,label\n1.jpg,a|b\n2.jpg,c|d\n", {},
        ("--task=multilabel --label_separator='|'", "--task=multiclass"),
    ),
    "columns of a single 1": (
        "path,cat,dog\n1.jpg,0,1\n2.jpg,1,0\n", {},
        ("--task=multilabel", "--task=multiclass"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ASKED)
def test_what_leaves_two_readings_is_asked(tmp_path, case):
    text, options, commands = ASKED[case]
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, **options)
    for command in commands:
        assert command in "\n".join(caught.value.faults)


# Name -> the table, options, the error, its words.
REFUSED = {
    "a cell of a column of numbers": (
        "path,label\n1.jpg,1.5\n2.jpg,tall\n", {"task": "regression"},
        DataError, "t.csv:3: label 'tall' is no number",
    ),
    "infinity": (
        "path,label\n1.jpg,1.5\n2.jpg,inf\n", {"task": "regression"},
        DataError, "t.csv:3: label 'inf' is not finite",
    ),
    "infinity among numbers, without --task": (
        "path,label\n1.jpg,1.5\n2.jpg,inf\n3.jpg,2\n", {},
        DataError, "t.csv:3: label 'inf' is not finite",
    ),
    "a word in a column that is named": (
        "path,age\n1.jpg,15\n2.jpg,tall\n3.jpg,2\n", {"target": ("age",)},
        DataError, "t.csv:3: age 'tall' is no number",
    ),
    "a number that is missing": (
        "path,label\n1.jpg,1.5\n2.jpg,N/A\n", {"task": "regression"},
        DataError, "t.csv:3: label says no number - fill it, or give",
    ),
    "a mark that is neither": (
        "path,cat,dog\n1.jpg,2,1\n2.jpg,1,0\n",
        {"task": "multilabel", "target": ("cat", "dog")},
        DataError, "t.csv:2: cat '2' is neither 0 nor 1",
    ),
    "no such column": (
        "path,label\n1.jpg,cat\n", {"target": ("age",)},
        ConfigError, "--target=age: ",
    ),
    "no columns of 0 and 1": (
        "path,size\n1.jpg,big\n", {"task": "multilabel"},
        ConfigError, "neither a column label nor columns of 0 and 1",
    ),
    "one label alone": (
        "path,label\n1.jpg,cat\n2.jpg,cat\n", {"task": "multilabel"},
        DataError, "1 label in its rows; expected 2 or more",
    ),
    "two marks of classes": (
        "path,cat,dog\n1.jpg,1,1\n2.jpg,1,0\n", {"task": "multiclass"},
        DataError, "t.csv:2: expected a single 1 in cat, dog, received 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_told_by_its_row(tmp_path, case):
    text, options, error, words = REFUSED[case]
    with pytest.raises(error) as caught:
        read(tmp_path, text, **options)
    assert words in "\n".join(caught.value.faults)


def test_rows_that_say_nothing_are_left_out_where_that_is_asked(tmp_path):
    text = "path,label\n1.jpg,1.5\n2.jpg,N/A\n3.jpg,\n"
    reading = read(tmp_path, text, task="regression", skip_unlabelled=True)
    assert values(reading) == [[1.5]]
    labels = "path,label\n1.jpg,a|b\n2.jpg,\n3.jpg,a\n4.jpg,b\n"
    reading = read(tmp_path, labels)
    assert values(reading)[1] == [0, 0]
    assert "1 rows name no label: of these pictures none" in reading.told[1]
    reading = read(tmp_path, labels, skip_unlabelled=True)
    assert len(values(reading)) == 3


def test_all_tables_are_read_alike(tmp_path):
    """A comma before decimals in one of them is one in all."""
    tables = {
        "train": written(tmp_path, 'path,label\n1.jpg,"1,5"\n', "a.csv"),
        "test": written(tmp_path, 'path,label\n2.jpg,"2,125"\n', "b.csv"),
    }
    reading = read_targets(tables, task="regression")
    assert np.ravel(values(reading)).tolist() == [1.5, 2.125]
    tables["test"] = written(tmp_path, "path,label\n2.jpg,a|x\n", "b.csv")
    tables["train"] = written(tmp_path, "path,label\n1.jpg,a|b\n", "a.csv")
    with pytest.raises(DataError, match="the label 'x' is of no training row"):
        read_targets(tables, task="multilabel")


def test_labels_of_a_model_keep_its_order(tmp_path):
    reading = read(
        tmp_path, "path,label\n1.jpg,dog\n2.jpg,\n", task="multilabel",
        names=("dog", "cat"),
    )  # fmt: skip
    assert values(reading) == [[1, 0], [0, 0]]
