"""Tables as data sets bring them, each with a folder of four pictures.

Nothing here loads TensorFlow.
"""

import csv
import importlib.util
import io
import json

import pytest
from conftest import CHECKOUT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tl_keras.config import paths
from tl_keras.data import (
    Unlabelled,
    list_dataset,
    read_table,
    rows,
    target_facts,
)
from tl_keras.errors import DataError, MachineError

needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None,
    reason="pyarrow is not installed (extra parquet)",
)


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8), number).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def root(tmp_path):
    """img/0.png to img/3.png; 0 and 1 are cats, 2 and 3 are dogs."""
    (tmp_path / "img").mkdir()
    for i in range(4):
        (tmp_path / "img" / f"{i}.png").write_bytes(png(i))
    return tmp_path


def pairs(listing) -> dict[str, str]:
    """id -> class name."""
    return {
        id_: listing.class_names[label]
        for examples in listing.splits.values()
        for id_, label in zip(examples.ids, examples.labels, strict=True)
    }


def splits(listing) -> dict[str, list[str]]:
    return {split: list(e.ids) for split, e in listing.splits.items()}


EXPECTED = {f"img/{i}.png": "cat" if i < 2 else "dog" for i in range(4)}
LINES = list(EXPECTED.items())


def text(mark=",", header="path,label", end="\n") -> str:
    head = [header.replace(",", mark)] if header else []
    return end.join([*head, *(mark.join(line) for line in LINES), ""])


# Name -> the file, its bytes, words of what is told; "" for nothing.
LAYOUTS = {
    "commas": ("t.csv", text(), ""),
    "semicolons": ("t.csv", text(";"), "semicolons are between its cells"),
    "tabs": ("t.tsv", text("\t"), "tabs are between its cells"),
    "tabs in a .csv": ("t.csv", text("\t"), "tabs are between"),
    "bars": ("t.csv", text("|"), "| are between its cells"),
    "what Excel says": ("t.csv", "sep=;\r\n" + text(";", end="\r\n"), "semi"),
    "byte order mark": ("t.csv", "\ufeff" + text(), ""),
    "UTF-16": ("t.csv", text("\t").encode("utf-16"), "read as UTF-16"),
    "UTF-16 without its mark": (
        "t.csv", text().encode("utf-16-le"), "read as UTF-16-LE",
    ),
    "old Mac's line ends": ("t.csv", text(end="\r"), ""),
    "no header": ("t.csv", text(header=""), "it has no header: column 1 has"),
    "no header, semicolons": ("t.csv", text(";", ""), "it has no header"),
    "no header, labels first": (
        "t.csv",
        "".join(f"{label},{path}\n" for path, label in LINES),
        "column 2 has the paths, column 1 the labels",
    ),
    "usual names": ("t.csv", text(header="Image Path,Category"),
                    "paths are from the column Image Path"),
    "image_id and target": ("t.csv", text(header="image_id,target"),
                            "labels are from the column target"),
    "filename and class": ("t.csv", text(header="filename,class"), "class"),
    "more columns": (
        "t.csv",
        "id,url,label,filepath\n" + "".join(
            f"{i},http://x/{i},{label},{path}\n"
            for i, (path, label) in enumerate(LINES)
        ),
        "paths are from the column filepath",
    ),
    "Kaggle's dog breeds": (
        "labels.csv",
        "id,breed\n" + "".join(f"{p[4:-4]},{label}\n" for p, label in LINES),
        "lie in img and have no extension, their files have .png",
    ),
    "absolute paths of another machine": (
        "t.csv",
        "path,label\n" + "".join(f"/home/me/{p},{la}\n" for p, la in LINES),
        "begin with /home/me/, which is not here",
    ),
    "Windows' separators": (
        "t.csv",
        "path,label\n"
        + "".join(f"D:\\pets\\img\\{p[4:]},{la}\n" for p, la in LINES),
        "are written with \\ and begin with D:/pets/",
    ),
    "train.txt of path and label": (
        "train.txt",
        "# path label\n" + "".join(f"{p} {label}\n" for p, label in LINES),
        "column 1 has the paths, column 2 the labels",
    ),
    "labels.txt without extensions": (
        "labels.txt",
        "".join(f"{p[:-4]}   {label}\n" for p, label in LINES),
        "have no extension",
    ),
    "JSON Lines": (
        "metadata.jsonl",
        "".join(
            json.dumps({"file_name": p, "label": label, "box": [1, 2]}) + "\n"
            for p, label in LINES
        ),
        "paths are from the column file_name",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_layout_is_read(case, root):
    name, content, told = LAYOUTS[case]
    content = content if isinstance(content, bytes) else content.encode()
    (root / name).write_bytes(content)
    listing = list_dataset(str(root / name))
    assert pairs(listing) == EXPECTED
    assert told in "\n".join(listing.told)
    assert bool(told) == bool(listing.told)
    assert listing.skipped == ()
    asked = Unlabelled(str(root / name))
    assert sorted(found.id for found in asked) == sorted(EXPECTED)
    assert all(not found.reason for found in asked)
    assert row_in_docs(case, listing.told, root) in rows_in_docs()


def row_in_docs(case: str, told, root) -> str:
    """The row of docs/tables.md of a layout: its name, its file, what is told.

    Characters that a page of Markdown does not show are written out.
    """
    name, content, _ = LAYOUTS[case]
    if isinstance(content, bytes):
        content = content.decode("utf-16-le" if b"\xff\xfe" not in content
                                 else "utf-16")  # fmt: skip
    lines = [line for line in content.splitlines() if line][:3]
    shown = "<br>".join(f"`{line}`" for line in lines)
    said = "; ".join(
        line.removeprefix(f"{root / name}: ").replace(f"{root}/", "")
        for line in told
    )
    cells = [case, f"`{name}`", shown, said]
    for sign, written in (("|", r"\|"), ("\t", "\u21e5"), ("\ufeff", "BOM ")):
        cells = [cell.replace(sign, written) for cell in cells]
    return f"| {' | '.join(cells)} |".replace("  |", " |")


def rows_in_docs() -> list[str]:
    text = (CHECKOUT / "docs" / "tables.md").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.startswith("| ")]


@needs_pyarrow
def test_parquet_is_read(root):
    import pyarrow
    from pyarrow import parquet

    columns = {
        "file_name": [path for path, _ in LINES],
        "label": pyarrow.array([la for _, la in LINES]).dictionary_encode(),
        "age": [1, None, 2, 3],
    }
    file = str(root / "t.parquet")
    parquet.write_table(pyarrow.table(columns), file)
    assert pairs(list_dataset(file)) == EXPECTED
    assert len(list(Unlabelled(file))) == 4
    (root / "t.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        list_dataset(file)
    images = pyarrow.array([{"bytes": b"x", "path": "0.png"}])
    parquet.write_table(pyarrow.table({"image": images, "label": [1]}), file)
    with pytest.raises(DataError, match="pictures are in the column image, as"):
        list_dataset(file)


def test_without_pyarrow_a_line_says_what_to_install(root, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (root / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(MachineError) as caught:
        list_dataset(str(root / "t.parquet"))
    (line,) = caught.value.faults
    assert "pip install 'tl-keras[parquet]'" in line


def test_numbers_and_texts_of_json(root):
    lines = [{"image": p, "label": i // 2} for i, (p, _) in enumerate(LINES)]
    lines[3]["split"] = "test"
    file = root / "t.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    listing = list_dataset(str(file))
    assert listing.class_names == ("0", "1")
    assert splits(listing)["test"] == ["img/3.png"]
    for text, words in (
        ("[1]\n", "t.jsonl:1: expected an object, found [1]"),
        ('{"image": "a"}\n{"image', "t.jsonl:2: no JSON"),
        ("[" * 100_000, "t.jsonl:1: no JSON"),
        ("", "expected the header path,label[,split], received nothing"),
        ('{"x": 1}', "received x"),
    ):
        file.write_text(text)
        with pytest.raises(DataError) as caught:
            list_dataset(str(file))
        assert words in "\n".join(caught.value.faults)


def test_columns_can_be_said(root):
    file = root / "t.csv"
    file.write_text(
        "image,photo,colour,class\n"
        + "".join(f"x,{path},{label},y\n" for path, label in LINES)
    )
    listing = list_dataset(
        str(file), path_column="Photo", label_column="colour"
    )
    assert pairs(listing) == EXPECTED
    with pytest.raises(DataError, match="path_column=foto is no column of"):
        list_dataset(str(file), path_column="foto")
    file.write_text("".join(f"{p[4:-4]},y,{label}\n" for p, label in LINES))
    with pytest.raises(DataError, match="path_column=1 that it is the first"):
        list_dataset(str(file))
    listing = list_dataset(str(file), path_column="1", label_column="3")
    assert pairs(listing) == EXPECTED
    with pytest.raises(DataError, match="give the column's number, 1 to 3"):
        list_dataset(str(file), path_column="1", label_column="4")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("path,class,category\nimg/0.png,cat,x\n",
         "--label_column=class or --label_column=category"),
        ("img/0.png,cat,wild\nimg/2.png,dog,tame\n",
         "none is known to be the label - --label_column=2"),
        ("img/0.png,img/1.png\nimg/2.png,img/3.png\n", "--path_column=1"),
    ],
)  # fmt: skip
def test_two_readings_are_not_guessed(content, words, root):
    (root / "t.csv").write_text(content)
    with pytest.raises(DataError) as caught:
        list_dataset(str(root / "t.csv"))
    assert words in "\n".join(caught.value.faults)


def test_a_label_has_blanks_and_so_has_a_path(root):
    (root / "img" / "0.png").rename(root / "img" / "my photo.png")
    lines = "img/my photo.png golden retriever\nimg/1.png pug\n"
    (root / "train.txt").write_text(lines)
    assert pairs(list_dataset(str(root / "train.txt"))) == {
        "img/my photo.png": "golden retriever", "img/1.png": "pug",
    }  # fmt: skip


def test_a_list_of_paths_alone_is_for_predicting(root):
    (root / "list.txt").write_text("".join(f"{p}\n" for p, _ in LINES))
    asked = Unlabelled(str(root / "list.txt"))
    assert [found.id for found in asked] == list(EXPECTED)
    with pytest.raises(DataError, match="none is known to be the label"):
        list_dataset(str(root / "list.txt"))


@pytest.mark.parametrize(
    "content",
    [
        "path,split\n" + "".join(f"{p},{s}\n" for (p, _), s in
                                 zip(LINES, ["train", "test", "train", "test"],
                                     strict=True)),
        "".join(f"img\\{i} {'test' if i % 2 else 'train'}\n" for i in range(4)),
    ],
    ids=["a table", "a list without extensions"],
)  # fmt: skip
def test_a_split_in_another_file(content, root):
    (root / "t.csv").write_text(text())
    (root / "splits.txt").write_text(content)
    file = str(root / "splits.txt")
    listing = list_dataset(str(root / "t.csv"), split_file=file)
    assert splits(listing) == {
        "train": ["img/0.png", "img/2.png"],
        "test": ["img/1.png", "img/3.png"],
    }
    assert f"the split is from {file}" in listing.told[0]
    for change, words in (
        (content.replace("3", "4"), "says no split of img/3.png"),
        (content.replace("test", "0"), "split '0'; expected train, val or"),
        (content + content.replace("train", "val"), "stands above in train"),
    ):
        (root / "splits.txt").write_text(change)
        with pytest.raises(DataError) as caught:
            list_dataset(str(root / "t.csv"), split_file=file)
        assert words in "\n".join(caught.value.faults)


@pytest.mark.parametrize(
    ("name", "content", "test"),
    [
        # CelebA: 0 train, 1 val, 2 test.
        ("list_eval_partition.txt", "img/0.png 0\nimg/1.png 2\n", [1, 3]),
        ("p.csv", "image_id,partition\nimg/0.png,0\nimg/1.png,2\n", [1, 3]),
        # CUB-200: 1 to train on, 0 not.
        ("train_test_split.txt", "img/0.png 1\nimg/1.png 0\n", [1, 3]),
        ("p.csv", "path,is_train\nimg/0.png,1\nimg/1.png,0\n", [1, 3]),
        ("p.csv", "is_training_image;file\n1;img/0.png\n0;img/1.png\n", [1, 3]),
    ],
)  # fmt: skip
def test_a_split_by_numbers(name, content, test, root):
    """Where they can be read in one way."""
    (root / "t.csv").write_text(text())
    first, second = content.splitlines()[-2:]
    more = first.replace("0.png", "2.png"), second.replace("1.png", "3.png")
    (root / name).write_text("\n".join([content.strip(), *more]) + "\n")
    listing = list_dataset(str(root / "t.csv"), split_file=str(root / name))
    ids = [f"img/{i}.png" for i in test]
    assert splits(listing)["test"] == ids
    assert splits(listing)["train"] == ["img/0.png", "img/2.png"]


def test_numbers_that_can_mean_two_splits_are_not_guessed(root):
    (root / "t.csv").write_text(text())
    (root / "s.csv").write_text("path,split\nimg/0.png,0\nimg/1.png,1\n")
    with pytest.raises(DataError) as caught:
        list_dataset(str(root / "t.csv"), split_file=str(root / "s.csv"))
    assert "0 and 1 can be train and val, or 1 train and 0 test" in str(
        caught.value
    )
    assert "call the column is_train" in "\n".join(caught.value.faults)


def test_a_column_of_splits_may_be_numbers_too(root):
    lines = [f"{p},{la},{i % 3}" for i, (p, la) in enumerate(LINES)]
    (root / "t.csv").write_text("path,label,split\n" + "\n".join(lines))
    assert splits(list_dataset(str(root / "t.csv"))) == {
        "train": ["img/0.png", "img/3.png"], "val": ["img/1.png"],
        "test": ["img/2.png"],
    }  # fmt: skip


def test_a_split_stands_in_one_place_alone(root):
    (root / "t.csv").write_text(text().replace("label", "label,split", 1)
                                .replace("cat\n", "cat,\n")
                                .replace("dog\n", "dog,test\n"))  # fmt: skip
    (root / "s.csv").write_text("path,split\n")
    with pytest.raises(DataError, match="has a column split of its own"):
        list_dataset(str(root / "t.csv"), split_file=str(root / "s.csv"))


def cub(root) -> str:
    """CUB_200_2011: paths start in images/, which images.txt does not say."""
    folder = root / "CUB"
    (folder / "images").mkdir(parents=True)
    names = ("001.Albatross/Al_0.png", "001.Albatross/Al_1.png",
             "002.Bunting/Bu_0.png", "002.Bunting/Bu_1.png")  # fmt: skip
    for i, name in enumerate(names):
        file = folder / "images" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(png(i))

    def write(name, values):
        lines = [f"{i} {value}\n" for i, value in enumerate(values, 1)]
        (folder / name).write_text("".join(lines))

    write("images.txt", names)
    write("image_class_labels.txt", (1, 1, 2, 2))
    write("train_test_split.txt", (1, 0, 1, 0))
    write("classes.txt", ("001.Albatross", "002.Bunting"))
    return str(folder / "images.txt")


def test_the_lists_of_cub_200(root):
    file = cub(root)
    listing = list_dataset(file)
    assert listing.class_names == ("001.Albatross", "002.Bunting")
    assert splits(listing) == {
        "train": ["images/001.Albatross/Al_0.png",
                  "images/002.Bunting/Bu_0.png"],
        "test": ["images/001.Albatross/Al_1.png",
                 "images/002.Bunting/Bu_1.png"],
    }  # fmt: skip
    told = "\n".join(listing.told)
    assert "image_class_labels.txt, classes.txt, train_test_split.txt" in told
    assert "4 of 4 paths lie in images" in told
    assert read_table(file).columns["label"][0] == "001.Albatross"
    folder = root / "CUB"
    for name, content, words in (
        ("train_test_split.txt", "1 2\n", "expected 1 (to train on) or 0"),
        ("train_test_split.txt", "1 1\n2 0\n3 1\n", "says nothing of 4"),
        ("image_class_labels.txt", "1 1\n1 2\n", "a number of its own"),
    ):
        before = (folder / name).read_text()
        (folder / name).write_text(content)
        with pytest.raises(DataError) as caught:
            list_dataset(file)
        assert words in "\n".join(caught.value.faults)
        (folder / name).write_text(before)


def test_cubs_split_by_the_numbers_of_its_pictures(root):
    """As a file of its own, for a table of the same paths."""
    folder = (root / cub(root)).parent
    paths = [f"img/{i}.png" for i in range(4)]
    (folder / "images.txt").write_text(
        "".join(f"{i} {path}\n" for i, path in enumerate(paths, 1))
    )
    (root / "t.csv").write_text(text())
    file = str(folder / "train_test_split.txt")
    assert splits(list_dataset(str(root / "t.csv"), split_file=file)) == {
        "train": ["img/0.png", "img/2.png"],
        "test": ["img/1.png", "img/3.png"],
    }


def test_a_number_of_each_row_is_no_class(root):
    """ILSVRC's train_cls.txt: the class is the folder, the number counts."""
    for folder in ("n01440764", "n01443537"):
        (root / folder).mkdir()
        for i in range(2):
            (root / folder / f"{folder}_{i}.JPEG").write_bytes(png(i))
    names = [f"n0144{n}/n0144{n}_{i}" for n in ("0764", "3537") for i in (0, 1)]
    file = root / "train_cls.txt"
    file.write_text("".join(f"{p} {i}\n" for i, p in enumerate(names, 1)))
    listing = list_dataset(str(file))
    assert listing.class_names == ("n01440764", "n01443537")
    assert pairs(listing)["n01440764/n01440764_0.JPEG"] == "n01440764"
    told = "\n".join(listing.told)
    assert "its labels are the 2 folders of its paths" in told
    table = read_table(str(file))
    assert table.columns["label"][0] == "n01440764"
    # Who says so takes the numbers.
    listing = list_dataset(str(file), label_column="2")
    assert listing.class_names == ("1", "2", "3", "4")
    # Labels that do not count the rows are labels.
    file.write_text("".join(f"{p} {i // 2}\n" for i, p in enumerate(names)))
    assert list_dataset(str(file)).class_names == ("0", "1")


def test_names_of_numbers_stand_in_classes(root):
    (root / "train.txt").write_text(
        "".join(f"{p} {2 if la == 'dog' else 1}\n" for p, la in LINES)
    )
    assert list_dataset(str(root / "train.txt")).class_names == ("1", "2")
    (root / "classes.txt").write_text("1 cat\n2 dog\n")
    listing = list_dataset(str(root / "train.txt"))
    assert pairs(listing) == EXPECTED
    assert "the names of its labels are in classes.txt" in listing.told[-1]


def test_labels_alone_are_those_of_numbered_pictures(root):
    """ILSVRC's devkit: line 1 is of ILSVRC2012_val_00000001.JPEG."""
    folder = root / "val"
    folder.mkdir()
    for i in range(1, 5):
        (folder / f"ILSVRC2012_val_0000000{i}.JPEG").write_bytes(png(i))
    file = root / "ILSVRC2012_validation_ground_truth.txt"
    file.write_text("490\n361\n490\n171\n")
    listing = list_dataset(str(file), data_dir=str(folder))
    labels = {int(id_[-6]): label for id_, label in pairs(listing).items()}
    assert labels == {1: "490", 2: "361", 3: "490", 4: "171"}
    raw = read_table(str(file))
    assert raw.columns == {"label": ("490", "361", "490", "171")}
    assert target_facts(raw.columns).numeric == ("label",)
    with pytest.raises(DataError, match="give their folder by data_dir"):
        list_dataset(str(file))


CELL = st.text(st.sampled_from("ab ,;|\t\"'äµ\n0."), max_size=8)


@given(
    st.lists(CELL, min_size=1, max_size=5),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
    st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_writer_of_tables_writes_is_read(
    tmp_path, labels, mark, encoding, header
):
    """Whatever stands in its cells; without a header where they are alike."""
    file = tmp_path / "t.csv"
    with open(file, "w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream, delimiter=mark)
        if header:
            writer.writerow(["path", "label"])
        for i, label in enumerate(labels):
            writer.writerow([f"img/{i}.png", label])
    marks = set(",;|\t\"'\n") & set("".join(labels))
    if not header and (encoding == "utf-16-le" or len(labels) == 1 or marks):
        return  # Nothing says what it is, or which mark is meant.
    table = read_table(str(file))
    assert table.columns["path"] == tuple(
        f"img/{i}.png" for i in range(len(labels))
    )
    if header:
        assert table.columns["label"] == tuple(labels)


def test_the_flags_know_the_same_tables_as_the_reader():
    assert paths.TABLES == rows.TABLES


# Layouts of more than one file, or of another kind: row of docs/tables.md ->
# its test.
OTHERS = {
    "Parquet": test_parquet_is_read,
    "JSON Lines with splits": test_numbers_and_texts_of_json,
    "columns that are named": test_columns_can_be_said,
    "labels with blanks": test_a_label_has_blanks_and_so_has_a_path,
    "a list of paths": test_a_list_of_paths_alone_is_for_predicting,
    "a split in another file": test_a_split_in_another_file,
    "CelebA's split by number": test_a_split_by_numbers,
    "CUB-200's four lists": test_the_lists_of_cub_200,
    "CUB-200's split alone": test_cubs_split_by_the_numbers_of_its_pictures,
    "ILSVRC's train_cls.txt": test_a_number_of_each_row_is_no_class,
    "ILSVRC's ground truth": (test_labels_alone_are_those_of_numbered_pictures),
    "names in classes.txt": test_names_of_numbers_stand_in_classes,
}


def test_each_row_of_the_docs_is_a_layout_that_is_tested():
    """And each layout that is tested is a row."""
    names = [row.split(" | ")[0].removeprefix("| ") for row in rows_in_docs()]
    headers = {"layout"}
    assert [n for n in names if n not in headers] == [*LAYOUTS, *OTHERS]
