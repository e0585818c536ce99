"""inference: each picture exactly once, whatever happens; safe files."""

import csv
import gc
import json
import os
import pathlib

import numpy as np
import pytest
from conftest import write_picture

from tl_keras import atomic
from tl_keras.data import Unlabelled
from tl_keras.errors import ConfigError, DataError, MachineError, StoppedError
from tl_keras.serving.inference import Answer, predict_examples
from tl_keras.serving.inference.gallery import Choice, without_bars
from tl_keras.serving.inference.results import safe_cell

RESULTS = ("predictions.jsonl", "predictions.csv", "gallery.html")


def ask(encoded):
    """Answers by the bytes alone, without a model."""
    return [
        Answer((), (), "unknown format")
        if content.startswith(b"bad")
        else Answer(("b", "a"), (0.5 + (len(content) % 7) / 20, 0.25), "")
        for content in encoded
    ]


def make_files(root: pathlib.Path, count: int) -> pathlib.Path:
    for number in range(count):
        file = root / f"s{number % 3}" / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"bad" if number % 10 == 9 else b"x" * number)
    return root


def run(root, folder, *, known_as=(("model", "m"),), **options):
    options.setdefault("batch_size", 2)
    return predict_examples(
        ask, Unlabelled(str(root)), folder, known_as=dict(known_as), **options
    )


def rows_of(folder: pathlib.Path) -> list[dict]:
    lines = (folder / "predictions.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def files_of(folder: pathlib.Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS}


def test_every_picture_has_one_row_and_the_books_balance(tmp_path):
    root = make_files(tmp_path / "photos", 50)
    (root / "note.txt").write_text("x")
    (root / ".hidden.jpg").write_text("x")
    done = run(root, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert len(rows) == len({row["id"] for row in rows}) == 50
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert (done.predicted, done.unreadable, sum(done.ignored.values())) == (
        45, 5, 2,
    )  # fmt: skip
    assert done.found() == 52
    assert done.labels == {"b": 45}
    assert all(row["reason"] for row in rows if row["status"] == "unreadable")
    assert sorted(os.listdir(tmp_path / "out")) == [
        ".pictures.sqlite", "gallery.html", "predict.json", "predictions.csv",
        "predictions.jsonl",
    ]  # fmt: skip


class Cut(BaseException):
    """Ends a run as a kill would: nothing may catch it."""


def test_a_cut_at_any_write_is_gone_on_from(tmp_path, monkeypatch):
    """Cut before each file takes its name, twice; then run to the end."""
    root = make_files(tmp_path / "photos", 35)
    run(root, tmp_path / "whole")
    whole = files_of(tmp_path / "whole")
    real = os.replace
    left = [0]

    def replace(*names):
        left[0] -= 1
        if left[0] == 0:
            raise Cut
        real(*names)

    def cut(folder, point) -> bool:
        """Whether the run was cut at its `point`th write."""
        left[0] = point
        with monkeypatch.context() as patched:
            patched.setattr(atomic.os, "replace", replace)
            try:
                run(root, folder)
            except Cut:
                return True
        return False

    point, cuts = 1, 0
    while cut(tmp_path / f"cut{point}", point):
        cuts += 1
        cut(tmp_path / f"cut{point}", 3)  # and once more
        run(root, tmp_path / f"cut{point}")
        assert files_of(tmp_path / f"cut{point}") == whole, point
        point += 1
    assert files_of(tmp_path / f"cut{point}") == whole
    # The list and its name, the identity, 3 parts, 3 results, the last word,
    # and the list's last name.
    assert cuts == 11


def test_what_a_kill_leaves_is_taken_away(tmp_path):
    root = make_files(tmp_path / "photos", 50)
    with pytest.raises(StoppedError):
        run(root, tmp_path / "out", stop=lambda: True)
    parts = tmp_path / "out" / "work" / "parts"
    (parts / ".tmp-ab12cd34-000000001.jsonl").write_text("half")
    (tmp_path / "out" / ".tmp-ab12cd34-predictions.csv").write_text("half")
    (tmp_path / "out" / ".tmp-mine").write_text("somebody's")
    assert run(root, tmp_path / "out").predicted == 45
    assert set(os.listdir(tmp_path / "out")) == {
        *RESULTS, "predict.json", ".pictures.sqlite", ".tmp-mine",
    }  # fmt: skip


def test_what_is_done_is_not_asked_again(tmp_path):
    root = make_files(tmp_path / "photos", 50)
    asked = []

    def once(encoded):
        asked.extend(encoded)
        if len(asked) > 30:
            raise Cut
        return ask(encoded)

    pictures = Unlabelled(str(root))
    with pytest.raises(Cut):
        predict_examples(
            once, pictures, tmp_path / "out", known_as={"model": "m"},
            batch_size=2,
        )  # fmt: skip
    done = run(root, tmp_path / "out")
    assert done.predicted == 45
    # 16 pictures a part: one whole part was kept.
    assert done.asked == 50 - 16
    again = run(root, tmp_path / "out")
    assert again.seconds is None
    assert again.labels == done.labels


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"known_as": (("model", "n"),)}, ConfigError, "model was m, is n"),
        ({"batch_size": 3}, ConfigError, "batch_size was 2, is 3"),
        ("input", DataError, "its input is not what it was ("),
    ],
)
def test_another_model_or_input_is_refused(
    change, error, words, finished, tmp_path
):
    root = make_files(tmp_path / "photos", 50)
    folder = tmp_path / "out"
    if finished:
        run(root, folder)
    else:
        with pytest.raises(StoppedError):
            run(root, folder, stop=lambda: True)
    before = sorted(os.listdir(folder))
    options = {}
    if change == "input":
        (root / "s0" / "new.jpg").write_bytes(b"n")
        (root / "s0" / "0.jpg").unlink()
        (root / "s1" / "1.jpg").write_bytes(b"other")
    else:
        options = change
    with pytest.raises(error) as told:
        run(root, folder, **options)
    (line,) = told.value.faults
    assert words in line
    if change == "input":
        assert "(1 new, 1 gone, 1 changed)" in line
    assert sorted(os.listdir(folder)) == before


def test_new_pictures_are_added_to_an_old_folder(tmp_path):
    """They alone are asked; the files are those of one run over all."""
    root = make_files(tmp_path / "photos", 50)
    folder = tmp_path / "out"
    first = run(root, folder)
    asked = []

    def remember(encoded):
        asked.extend(encoded)
        return ask(encoded)

    def added(names, **options):
        for name in names:
            (root / "s0" / name).write_bytes(b"new" + name.encode())
        return predict_examples(
            remember, Unlabelled(str(root)), folder, **options,
            known_as={"model": "m"}, batch_size=2,
        )  # fmt: skip

    done = added(["a.jpg", "zz.jpg"])
    new = [content for content in asked if content.startswith(b"new")]
    assert new == [b"newa.jpg", b"newzz.jpg"]
    # What could not be read is tried once more.
    assert len(asked) == 2 + first.unreadable
    assert done.asked == 2 + first.unreadable
    assert done.predicted == first.predicted + 2
    run(root, tmp_path / "whole")
    assert files_of(folder) == files_of(tmp_path / "whole")
    with pytest.raises(StoppedError):
        added(["b.jpg"], stop=lambda: True)
    assert added(["c.jpg"]).predicted == first.predicted + 4
    run(root, tmp_path / "again")
    assert files_of(folder) == files_of(tmp_path / "again")
    assert added([]).seconds is None
    (root / "s0" / "a.jpg").write_bytes(b"changed")
    with pytest.raises(DataError, match=r"\(0 new, 0 gone, 1 changed\)"):
        added([])


def test_a_stop_ends_it_between_batches_and_it_goes_on(tmp_path):
    root = make_files(tmp_path / "photos", 50)
    run(root, tmp_path / "whole")
    count = [0]

    def slow(encoded):
        count[0] += 1
        return ask(encoded)

    with pytest.raises(StoppedError) as told:
        predict_examples(
            slow, Unlabelled(str(root)), tmp_path / "out",
            known_as={"model": "m"}, batch_size=2,
            stop=lambda: count[0] == 12,
        )  # fmt: skip
    assert told.value.exit_code == 75
    assert "stopped after 16 of 50 pictures" in str(told.value)
    run(root, tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")


def test_a_part_that_is_not_the_lists_is_refused(tmp_path):
    root = make_files(tmp_path / "photos", 50)
    folder = tmp_path / "out"
    with pytest.raises(StoppedError):
        run(root, folder, stop=lambda: True)
    part = folder / "work" / "parts" / "000000001.jsonl"
    part.write_text('{"id": "other.jpg", "status": "unreadable"}\n')
    with pytest.raises(MachineError, match="begin anew"):
        run(root, folder)


def test_predictions_of_something_else_are_not_overwritten(tmp_path):
    root = make_files(tmp_path / "photos", 3)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "predictions.csv").write_text("a run's own")
    with pytest.raises(ConfigError, match=r"predictions\.csv of something"):
        run(root, tmp_path / "run")
    assert (tmp_path / "run" / "predictions.csv").read_text() == "a run's own"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("rose", "rose"),
        ("a=b", "a=b"),
        ("", ""),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("  =1", "'  =1"),
        ("\uff1d1", "'\uff1d1"),
    ],
)
def test_no_cell_is_a_formula(text, cell):
    assert safe_cell(text) == cell


NAMES = (
    "=cmd.jpg", "+1.jpg", "-1.jpg", "@x.jpg", 'q"uote,comma;semi.jpg',
    "new\nline.jpg", "<script>alert(1)</script>.jpg", "caf\u00e9.jpg",
    "cafe\u0301.jpg", "\u202egpj.exe.jpg", "%s {{7*7}} [a-z].jpg", " lead.jpg",
)  # fmt: skip


def test_names_of_every_kind_come_back_exactly(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    names = {*NAMES, os.fsdecode(b"\xff\xfe.jpg")}
    for number, name in enumerate(sorted(names)):
        if "/" not in name:
            (root / name).write_bytes(b"x" * number)
    names = {name for name in names if "/" not in name}
    run(root, tmp_path / "out")
    assert {row["id"] for row in rows_of(tmp_path / "out")} == names
    text = (tmp_path / "out" / "predictions.csv").read_text("utf-8")
    cells = [row[0] for row in list(csv.reader(text.splitlines(True)))[1:]]
    assert len(cells) == len(names)
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@")]
    page = (tmp_path / "out" / "gallery.html").read_text("utf-8")
    assert "<script" not in page
    assert "default-src 'none'; img-src data:" in page
    assert "\u202e" not in page
    assert "{{7*7}}" in page


def test_the_gallery_is_limited_and_shows_pictures(tmp_path):
    root = tmp_path / "photos"
    for number in range(60):
        write_picture(root / f"{number:03}.png", number, number % 3)
    run(root, tmp_path / "out", batch_size=32)
    page = (tmp_path / "out" / "gallery.html").read_text("utf-8")
    shown = page.count('src="data:image/jpeg')
    # The 24 least sure, and the surest 3 of the one label.
    assert shown == 27
    assert "http" not in page.replace("http-equiv", "")


def test_bad_files_are_rows_with_a_reason(tmp_path, without_heic):
    """B01, B08, B09, B34, B35, B37 and their kind."""
    root = make_files(tmp_path / "photos", 3)
    os.mkfifo(root / "pipe.jpg")
    (root / "gone.jpg").symlink_to(root / "nowhere")
    (root / "zero.jpg").symlink_to("/dev/zero")
    (root / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (root / "page.heic").write_bytes(b"<html>")
    (root / "twin.jpg").symlink_to(root / "s1" / "1.jpg")
    (root / "folder.jpg").mkdir()
    (root / "elsewhere").symlink_to(tmp_path)
    (root / "loop").symlink_to(root)
    done = run(root, tmp_path / "out")
    told = {
        row["id"]: row["reason"]
        for row in rows_of(tmp_path / "out")
        if row["status"] != "ok"
    }
    assert set(told) == {
        "pipe.jpg", "gone.jpg", "zero.jpg", "photo.heic", "page.heic",
    }  # fmt: skip
    assert "HTML page, no picture" in told["page.heic"]
    assert "a pipe or socket" in told["pipe.jpg"]
    assert "a device" in told["zero.jpg"]
    assert "leads nowhere" in told["gone.jpg"]
    assert "convert it to JPEG" in told["photo.heic"]
    assert done.ignored == {
        "a link to a file that is taken already": 1,
        "a link to a folder (see --follow_links)": 2,
    }
    assert done.found() == 3 + 5 + 3


def test_a_csv_gives_its_rows_and_names_its_faults(tmp_path):
    root = make_files(tmp_path / "photos", 9)
    table = tmp_path / "t.csv"
    table.write_text(
        "label,path\nx,s0/0.jpg\ny,s1/1.jpg\nz,s0/0.jpg\nw,none.jpg\n"
    )
    pictures = Unlabelled(str(table), str(root))
    done = predict_examples(
        ask, pictures, tmp_path / "out", known_as={"model": "m"}
    )
    ids = [row["id"] for row in rows_of(tmp_path / "out")]
    assert ids == ["none.jpg", "s0/0.jpg", "s1/1.jpg"]
    assert done.ignored == {"the same row again": 1}
    assert "no such file" in next(iter(done.reasons))
    table.write_text("path\n../../etc/passwd\nfile:///x\nx,y\n\n,\n")
    with pytest.raises(DataError) as told:
        run_csv(table, root, tmp_path / "no")
    faults = "\n".join(told.value.faults)
    assert "t.csv:2: ../../etc/passwd leads out of" in faults
    assert "t.csv:3: 'file:///x' is no path" in faults
    assert "t.csv:4: expected 1 fields (path)" in faults


def run_csv(table, root, folder):
    pictures = Unlabelled(str(table), str(root))
    return predict_examples(ask, pictures, folder, known_as={"model": "m"})


def test_one_picture_is_an_input(tmp_path):
    root = make_files(tmp_path / "photos", 3)
    done = run(root / "s1" / "1.jpg", tmp_path / "out")
    assert done.labels == {"b": 1}
    assert rows_of(tmp_path / "out")[0]["id"] == "1.jpg"


def test_nothing_to_predict_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "note.txt").write_text("x")
    with pytest.raises(DataError, match="no pictures found, 1 other things"):
        run(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "empty" / "a.jpg").write_bytes(b"bad")
    with pytest.raises(DataError, match="none of 1 pictures could be read"):
        run(tmp_path / "empty", tmp_path / "out2")


@pytest.fixture
def python_collects_as_usual():
    """What nobody holds goes as early as in a command of its own."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("python_collects_as_usual")
def test_memory_does_not_grow_with_the_pictures(tmp_path):
    """8,000 names more would be a megabyte or more; the list is on disk."""
    import tracemalloc

    root = tmp_path / "photos"
    root.mkdir()
    for number in range(100):
        (root / f"{number}").mkdir()
        (root / f"{number}" / "1.jpg").write_bytes(b"x")

    class Many(Unlabelled):
        def __iter__(self):
            for found in super().__iter__():
                for copy in range(self.copies):
                    id_ = f"{found.id[:-4]}-{copy}.jpg"
                    yield found._replace(id=id_, place="")

    peaks = []
    for copies in (20, 100):
        many = Many(str(root))
        many.copies = copies
        many.path = lambda id_: str(root / "0" / "1.jpg")
        tracemalloc.start()
        predict_examples(
            ask, many, tmp_path / f"out{copies}", known_as={"model": "m"}
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 500_000


def test_scores_are_the_shortest_that_are_the_same_float32():
    from tl_keras.tasks.values import shortest

    for value in np.random.default_rng(0).random(99).astype(np.float32):
        assert np.float32(shortest(value)) == value
        assert len(repr(shortest(value))) <= 13


def test_a_gallery_of_several_labels_shows_the_label_that_is_least_sure():
    choice = Choice()
    rows = {
        "a.png": (["cat", "dog"], [0.99, 0.6]), "b.png": (["dog"], [0.7]),
        "c.png": ([], []),
    }  # fmt: skip
    for id_, (labels, scores) in rows.items():
        row = {"id": id_, "status": "ok", "labels": labels, "scores": scores}
        choice.see(row)
    choice.see({"id": "d.png", "status": "ok", "age": 3.0})
    assert [(r["id"], r["label"], r["score"]) for r in choice.unsure()] == [
        ("a.png", "dog", 0.6), ("b.png", "dog", 0.7),
    ]  # fmt: skip
    assert choice.unsure()[0]["top"][1]["label"] == "cat"
    assert [r["id"] for r in choice.sure("dog")] == ["b.png", "a.png"]
    assert [r["id"] for r in choice.sure("cat")] == ["a.png"]


def test_a_gallery_of_numbers_shows_the_highest_and_the_lowest(tmp_path):
    choice = Choice()
    for number in range(20):
        choice.see(
            {"id": f"{number}.png", "status": "ok", "age": float(number),
             "age_low": -1.0, "age_high": 1.0}
        )  # fmt: skip
    ends = choice.ends()
    assert list(ends) == ["Highest age", "Lowest age"]
    assert [row["age"] for row in ends["Highest age"]] == [
        19, 18, 17, 16, 15, 14,
    ]  # fmt: skip
    assert [row["age"] for row in ends["Lowest age"]] == [0, 1, 2, 3, 4, 5]

    root = make_files(tmp_path / "photos", 3)
    told = {"age": 3.25, "age_low": 2.0, "age_high": 4.5}
    predict_examples(
        lambda inputs: [Answer((), (), "", told) for _ in inputs],
        Unlabelled(str(root)), tmp_path / "out", known_as={"model": "m"},
    )  # fmt: skip
    page = (tmp_path / "out" / "gallery.html").read_text("utf-8")
    assert "<h2>Lowest age</h2>" in page
    assert "age 3.25" in page
    assert "2 to 4.5" in page


@pytest.mark.parametrize(
    ("part", "shape"),
    [
        ((slice(2, 6), slice(None)), (4, 8)),
        ((slice(None), slice(1, 7)), (8, 6)),
        ((slice(1, 6), slice(None)), (5, 8)),
        ((slice(None), slice(None)), (8, 8)),
        # Its upper half is black itself: nothing tells that it is no bar.
        ((slice(4, 8), slice(None)), (8, 8)),
        ((slice(0, 0), slice(0, 0)), (8, 8)),
    ],
)
def test_a_padded_picture_loses_its_bars(part, shape):
    square = np.zeros((8, 8, 3), np.uint8)
    square[part] = 200
    assert without_bars(square).shape == (*shape, 3)
