"""Tables as people have them: spreadsheets, other systems, other columns.

Nothing here loads TensorFlow.
"""

import unicodedata

import pytest

from tl_keras.data import (
    Cut,
    ListOptions,
    Unlabelled,
    faults_of_skips,
    list_dataset,
    names_of_skips,
)
from tl_keras.data.splits import cut_splits
from tl_keras.errors import ConfigError, DataError

JPEG = b"\xff\xd8\xff\xe0"
ROWS = [(f"img/{i}.jpg", "cat" if i < 4 else "dog") for i in range(8)]


@pytest.fixture
def root(tmp_path):
    for path, _ in ROWS:
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(JPEG + path.encode())
    return tmp_path


def table(root, text: str, name: str = "t.csv") -> str:
    (root / name).write_text(text, encoding="utf-8", newline="")
    return str(root / name)


def rows(*columns, end="\n", rows=ROWS) -> str:
    """A table with these columns; a column is its name and a function."""
    lines = [",".join(name for name, _ in columns)]
    lines += [
        ",".join(str(make(i, *row)) for _, make in columns)
        for i, row in enumerate(rows)
    ]
    return end.join(lines) + end


PATH = ("path", lambda i, path, label: path)
LABEL = ("label", lambda i, path, label: label)
EMPTY = ("", lambda i, path, label: "")
ID = ("id", lambda i, path, label: i)

GOOD = {
    "two empty columns": rows(PATH, LABEL, EMPTY, EMPTY, end="\r\n"),
    "empty rows": rows(PATH, LABEL) + ",\n,\n \n",
    "one row with more cells": rows(PATH, LABEL).replace(
        "img/3.jpg,cat", "img/3.jpg,cat,,"
    ),
    "a pandas index": rows(("", ID[1]), PATH, LABEL),
    "a row number and a name": rows(ID, ("filename", PATH[1]), LABEL),
    "a header in another case": rows(("Path", PATH[1]), ("LABEL", LABEL[1])),
    "Hugging Face's": rows(("file_name", PATH[1]), LABEL),
    "a run's split.csv": rows(("id", PATH[1]), LABEL),
    "absolute paths": "ABSOLUTE",
}


@pytest.mark.parametrize("case", GOOD)
def test_what_a_spreadsheet_or_a_library_adds_is_no_fault(case, root):
    text = GOOD[case]
    if text == "ABSOLUTE":
        text = rows(("path", lambda i, p, _: root / p), LABEL)
    listing = list_dataset(table(root, text))
    assert len(listing.splits["train"]) == 8
    assert listing.class_names == ("cat", "dog")
    assert listing.hints == ()
    empty = {"an empty row": 3} if case == "empty rows" else {}
    assert listing.ignored == empty
    found = list(Unlabelled(table(root, text)))
    assert [f.reason for f in found] == [""] * 8


def test_a_name_in_capitals_is_a_table(root):
    file = table(root, rows(PATH, LABEL), "DATA.CSV")
    assert len(list_dataset(file).splits["train"]) == 8


def misplaced(change) -> tuple:
    return ("path", lambda i, path, label: change(path))


# How paths are written -> what is told of them; each is read.
READ = {
    "backslashes": (lambda p: p.replace("/", "\\"), "are written with \\: "),
    "another system": (
        lambda p: "C:\\me\\" + p.replace("/", "\\"),
        "are written with \\ and begin with C:/me/, which is not here: ",
    ),
    "no extension": (lambda p: p[:-4], "have no extension, their files have"),
    "the folder itself": (lambda p: "ROOT/" + p, "ROOT/, the folder itself"),
    "one folder up": (lambda p: p[4:], "lie in img: 0.jpg is read as img/0."),
    "ids of a folder": (lambda p: p[4:-4], "lie in img and have no extension"),
    "elsewhere": (lambda p: "/home/me/" + p, "begin with /home/me/, which"),
    "a slash before": (lambda p: "/" + p, "begin with /, which is not here"),
}
# How paths are written, and what must be said of them once.
UNFOUND = {
    "another extension": (lambda p: p[:-4] + ".png", "end in .png, their"),
    "another case": (lambda p: p.upper(), "upper and lower case: IMG/0.JPG is"),
    "what is not here": (lambda p: "x/" + p, "begin with x/, which is not"),
    "a split that is not here": (lambda p: "/test/" + p, "begin with /test/"),
}


@pytest.mark.parametrize("case", READ)
def test_paths_that_can_mean_one_file_alone_are_read(case, root):
    change, expected = READ[case]

    def written(path):
        return change(path).replace("ROOT", root.name)

    file = table(root, rows(misplaced(written), LABEL))
    listing = list_dataset(file)
    assert sorted(listing.splits["train"].ids) == [path for path, _ in ROWS]
    assert listing.hints == ()
    (told,) = listing.told
    assert told.startswith(f"{file}: 8 of 8 paths ")
    assert expected.replace("ROOT", root.name) in told
    asked = Unlabelled(file)
    assert [found.id for found in asked] == [path for path, _ in ROWS]
    assert asked.hints == []
    assert expected.replace("ROOT", root.name) in asked.told[-1]


def test_what_can_mean_two_files_is_not_read(root):
    (root / "img" / "0.png").write_bytes(JPEG)
    listing = list_dataset(
        table(root, rows(misplaced(lambda p: p[:-4]), LABEL))
    )
    assert [skip.id for skip in listing.skipped] == ["img/0"]
    (root / "more").mkdir()
    for i in range(8):
        (root / "more" / f"{i}.jpg").write_bytes(JPEG)
    listing = list_dataset(table(root, rows(misplaced(lambda p: p[4:]), LABEL)))
    assert len(listing.skipped) == 8
    assert len(listing.hints) == 1


def test_paths_begin_with_one_thing_too_much(root):
    """What the first has too much, the others have too."""
    text = rows(misplaced(lambda p: "/me/" + p), LABEL)
    with pytest.raises(DataError) as caught:
        list_dataset(table(root, text.replace("/me/img/5", "/we/img/5")))
    fault, hint = caught.value.faults
    assert "/we/img/5.jpg leads out of" in fault
    assert hint.startswith("1 of 8 paths begin with /we/, which is not here")


@pytest.mark.parametrize("case", UNFOUND)
def test_paths_that_are_not_there_are_explained_once(case, root):
    change, expected = UNFOUND[case]
    file = table(root, rows(misplaced(change), LABEL))
    try:
        listing = list_dataset(file)
        lines = [*names_of_skips(listing), *faults_of_skips(listing, 0.01)]
    except DataError as error:
        lines = list(error.faults)
    told = [line for line in lines if "8 of 8 paths" in line]
    assert len(told) == 1
    assert expected in told[0]
    assert len(lines) <= 6
    assert "is --data_dir right" not in "\n".join(lines)


def test_accents_in_another_encoding_are_explained(tmp_path):
    for name, form in (("é0.jpg", "NFD"), ("é1.jpg", "NFD"), ("o.jpg", "NFC")):
        (tmp_path / unicodedata.normalize(form, name)).write_bytes(JPEG)
    text = "path,label\né0.jpg,a\né1.jpg,b\no.jpg,a\n"
    listing = list_dataset(table(tmp_path, unicodedata.normalize("NFC", text)))
    (hint,) = listing.hints
    assert "2 of 3 paths encode accents otherwise" in hint


@pytest.mark.parametrize(
    ("file", "written", "words"),
    [
        ("000{}.jpg", "{}", "lost their zeros and have no extension"),
        ("000{}.jpg", "{}.0", "lost their zeros"),
        ("000{}.jpg", "{}.jpg", "lost their zeros"),
        ("a {}.jpg", "a%20{}.jpg", "are written as addresses"),
    ],
)
def test_names_that_a_library_has_changed(file, written, words, tmp_path):
    text = "path,label\n"
    for i in range(4):
        (tmp_path / file.format(i)).write_bytes(JPEG)
        text += f"{written.format(i)},{'ab'[i % 2]}\n"
    (hint,) = list_dataset(table(tmp_path, text)).hints
    assert "4 of 4 paths" in hint
    assert words in hint


def test_the_split_of_a_run_says_where_its_paths_start(root):
    run = root / "out" / "run"
    run.mkdir(parents=True)
    text = rows(("id", PATH[1]), LABEL)
    file = table(run, text, "split.csv")
    assert list_dataset(file).hints == ()
    (run / "run.flags").write_text(f"--dataset={root}\n--seed=0\n")
    listing = list_dataset(file)
    (hint,) = listing.hints
    assert hint.endswith(f"--data_dir={root}")
    assert hint in faults_of_skips(listing, 0.01)
    assert len(list_dataset(file, "", "", str(root)).splits["train"]) == 8


def test_row_numbers_are_no_paths(root):
    number = ("id", lambda i, *_: 100 + i)
    file = table(root, rows(number, LABEL))
    (hint,) = list_dataset(file).hints
    assert "8 of 8 rows have a number where their path should be" in hint


def test_a_folder_that_was_moved_keeps_the_question(root):
    """Names as short as 0.jpg are found anywhere, and mean nothing."""
    (root / "img").rename(root / "moved")
    listing = list_dataset(table(root, rows(PATH, LABEL)))
    assert listing.hints == ()
    assert "is --data_dir right?" in faults_of_skips(listing, 0.01)[0]


def test_what_nothing_explains_keeps_the_question(root):
    file = table(root, "path,label\n" + "x/a.jpg,cat\n" * 1 + "x/b.jpg,dog\n")
    listing = list_dataset(file)
    assert listing.hints == ()
    assert "is --data_dir right?" in faults_of_skips(listing, 0.01)[0]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a,b\nx,cat\n", "--path_column=NAME says which column has the"),
        ("id,bread\nimg/0.jpg,cat\n", "--label_column=bread says which"),
        ("path,class,target\n", "--label_column=class or --label_column=targ"),
        ("path;lable\n", "received path,lable"),
    ],
)
def test_a_wrong_header_says_how_to_mend_it(text, hint, root):
    with pytest.raises(DataError) as caught:
        list_dataset(table(root, text))
    assert hint in "\n".join(caught.value.faults)


def test_tables_of_their_own_for_each_split(root):
    train = table(root, rows(PATH, LABEL, rows=ROWS[:3] + ROWS[4:7]))
    val = table(root, rows(PATH, LABEL, rows=ROWS[3:4]), "val.csv")
    test = table(root, rows(PATH, LABEL, rows=ROWS[7:]), "test.csv")
    listing = list_dataset(train, val, test)
    sizes = {split: len(e) for split, e in listing.splits.items()}
    assert sizes == {"train": 6, "val": 1, "test": 1}
    assert listing.warnings == (
        "test has no picture of 'cat' - its score says nothing about it",
        "val has no picture of 'dog' - its score says nothing about it",
    )
    with pytest.raises(DataError, match="stands here as cat in val, and in"):
        list_dataset(table(root, rows(PATH, LABEL), "all.csv"), val)
    own = rows(PATH, LABEL, ("split", lambda i, *_: "val" if i == 3 else ""))
    replaced = list_dataset(table(root, own, "own.csv"), val)
    assert replaced.ignored == {"rows of val, replaced": 1}
    assert replaced.found() == 9


def test_words_of_a_split_column(root):
    words = [
        "Training",
        "training",
        "dev",
        "eval",
        "TRAIN",
        "train",
        "",
        "test",
    ]
    text = rows(PATH, LABEL, ("split", lambda i, *_: words[i]))
    listing = list_dataset(table(root, text))
    sizes = {split: len(e) for split, e in listing.splits.items()}
    assert sizes == {"train": 5, "val": 1, "test": 2}


def test_rows_without_a_label_can_be_left_out(root):
    text = rows(PATH, LABEL) + "img/9.jpg,\nimg/8.jpg,  \n"
    with pytest.raises(DataError, match="skip_unlabelled"):
        list_dataset(table(root, text))
    listing = list_dataset(table(root, text), skip_unlabelled=True)
    assert listing.ignored == {"a row without a label": 2}
    assert len(listing.splits["train"]) == 8


def test_a_label_from_the_files_name(root):
    for name in ("cat.1.jpg", "dog.2.jpg", "Big_Dog.3.jpg"):
        (root / name).write_bytes(JPEG)
    file = table(root, "path\ncat.1.jpg\ndog.2.jpg\nBig_Dog.3.jpg\n")
    listing = list_dataset(file, label_regex=r"(.+)\.\d+")
    assert listing.class_names == ("Big_Dog", "cat", "dog")
    with pytest.raises(DataError, match=r"finds no class in cat\.1"):
        list_dataset(file, label_regex=r"([A-Z].+)\.\d+")
    with pytest.raises(ConfigError, match="expected a group"):
        ListOptions(label_regex="cat")
    with pytest.raises(ConfigError, match="expected a Python pattern"):
        ListOptions(label_regex="(cat")


def test_an_evaluation_takes_any_part_of_the_classes(root):
    for text in (
        rows(PATH, LABEL, rows=ROWS[:4]),
        rows(PATH, LABEL, ("split", lambda *_: "test")),
    ):
        file = table(root, text)
        with pytest.raises(DataError):
            list_dataset(file)
        assert list_dataset(file, partial=True).found()


def test_groups_come_from_a_column(root):
    text = rows(PATH, LABEL, ("Patient", lambda i, *_: f"p{i // 2}"))
    file = table(root, text.replace("Patient", "patient"))
    listing = list_dataset(file, group_column="patient")
    assert listing.splits["train"].groups == tuple(
        f"p{i // 2}" for i in range(8)
    )
    splits, _ = cut_splits(listing, Cut(val_fraction=0))
    assert not set(splits["train"].groups) & set(splits["test"].groups)
    with pytest.raises(DataError, match="expected the header path,label,speak"):
        list_dataset(file, group_column="speaker")
    with pytest.raises(DataError, match="the patient is empty"):
        list_dataset(
            table(root, text.replace("Patient", "patient").replace("p3", "")),
            group_column="patient",
        )
    own = text.replace("Patient", "patient,split").replace("p1", "p1,test")
    own = "\n".join(
        line if "test" in line or "split" in line else line + ",train"
        for line in own.splitlines()
    ).replace("img/4.jpg,dog,p2,train", "img/4.jpg,dog,p2,test")
    listing = list_dataset(table(root, own), group_column="patient")
    with pytest.raises(DataError, match="in two splits, such as 'p2' in"):
        cut_splits(listing, Cut())


def test_patterns_hold_for_rows_too(root):
    listing = list_dataset(
        table(root, rows(PATH, LABEL)), exclude=("img/[04].jpg",)
    )
    assert len(listing.splits["train"]) == 6
    assert listing.ignored == {"left out by --include or --exclude": 2}
