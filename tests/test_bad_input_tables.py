"""Bad .csv files, labels and TFDS names, B48 to B56."""

import os

import pytest
from spoiling import as_csv, check, good_folder, jpeg


@pytest.fixture
def pets(tmp_path):
    return good_folder(tmp_path / "pets", 6)


def table(pets, text: str, encoding: str = "utf-8"):
    file = pets.parent / "t.csv"
    file.write_bytes(text.encode(encoding))
    return file


def rows(pets) -> str:
    return as_csv(pets).read_text()


def failing(capsys, file, *flags) -> list[str]:
    ran = check(capsys, file, *flags)
    assert ran.code == 3
    assert ran.errors
    assert ran.counts is None
    return ran.errors


def test_b48_missing_empty_or_without_rows(pets, capsys):
    ran = check(capsys, pets.parent / "none.csv")
    assert ran.code == 2  # seen from the flags alone
    assert "found nothing" in ran.errors[0]
    (line,) = failing(capsys, table(pets, ""))
    assert "t.csv:1: expected the header path,label" in line
    (line,) = failing(capsys, table(pets, "path,label\n"))
    assert "no rows under the header" in line


def test_b49_byte_order_mark(pets, capsys):
    ran = check(capsys, table(pets, rows(pets), "utf-8-sig"))
    assert (ran.code, ran.counts) == (0, (12, 12, 0, 0))


def test_b49_utf_16_is_read(pets, capsys):
    ran = check(capsys, table(pets, rows(pets), "utf-16"))
    assert (ran.code, ran.counts) == (0, (12, 12, 0, 0))


def test_b49_other_encodings_are_named(pets, capsys):
    file = table(pets, rows(pets) + "x.jpg,Käfer\n", "latin-1")
    (line,) = failing(capsys, file)
    assert "t.csv:14: expected UTF-8 text" in line
    assert "save it as UTF-8" in line


def test_b49_a_spreadsheet_is_named(pets, capsys):
    file = pets.parent / "t.csv"
    file.write_bytes(b"PK\x03\x04" + bytes(range(256)))
    assert "found Excel" in failing(capsys, file)[0]


def test_b50_windows_line_ends(pets, capsys):
    ran = check(capsys, table(pets, rows(pets).replace("\n", "\r\n")))
    assert (ran.code, ran.counts) == (0, (12, 12, 0, 0))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t + "pets/cat/1.jpg\n", "t.csv:14: expected 2 fields"),
        (lambda t: t + "a,b,c,d\n", "['a', 'b', ['c', 'd']]"),
        (lambda t: t + '"pets/cat/1.jpg,cat\n', "not readable as comma-sep"),
    ],
)
def test_b50_not_comma_separated(pets, capsys, change, expected):
    (line,) = failing(capsys, table(pets, change(rows(pets))))
    assert expected in line


def test_b50_semicolons_are_read(pets, capsys):
    ran = check(capsys, table(pets, rows(pets).replace(",", ";")))
    assert (ran.code, ran.counts) == (0, (12, 12, 0, 0))


def test_b50_all_bad_rows_are_told_the_first_five_by_name(pets, capsys):
    lines = failing(capsys, table(pets, rows(pets) + "x\n" * 9))
    assert [line.split(": ")[0][-2:] for line in lines[:5]] == [
        "14", "15", "16", "17", "18"
    ]  # fmt: skip
    assert lines[5:] == ["and 4 more rows like these"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("../outside.jpg", "leads out of"),
        ("/etc/passwd", "leads out of"),
        ("pets/../../outside.jpg", "leads out of"),
        ("file:///etc/passwd", "is no path of a file on this disk"),
        ("gs://bucket/1.jpg", "is no path of a file on this disk"),
        ("http://host/1.jpg", "is no path of a file on this disk"),
        ("pets/cat/1.jpg\0.png", "is no path"),
    ],
)
def test_b51_paths_that_lead_out(pets, capsys, path, expected):
    (pets.parent.parent / "outside.jpg").write_bytes(jpeg(1))
    text = rows(pets) + f'"{path}",cat\n'
    (line,) = failing(capsys, table(pets, text))
    assert expected in line
    assert "t.csv:14: " in line
    assert "\0" not in line


def test_b51_a_link_that_leads_out(pets, tmp_path_factory, capsys):
    outside = tmp_path_factory.mktemp("outside") / "1.jpg"
    outside.write_bytes(jpeg(700))
    (pets / "cat" / "link.jpg").symlink_to(outside)
    file = as_csv(pets)
    (line,) = failing(capsys, file)
    assert "leads through a link out of" in line
    assert check(capsys, file, "--follow_links").counts == (13, 13, 0, 0)


def test_b51_data_dir_is_the_remedy(pets, capsys):
    file = as_csv(pets)
    moved = pets.parent / "deep" / "pictures.csv"
    moved.parent.mkdir()
    file.rename(moved)
    flags = (f"--data_dir={pets.parent}",)
    assert check(capsys, moved, *flags).counts == (12, 12, 0, 0)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.replace("label", "lable"), "t.csv:1: expected the header"),
        (lambda t: t.replace("path,", "label,"), "expected the header"),
        (lambda t: t + "pets/cat/1.jpg,\n", "t.csv:14: the label is empty"),
        (lambda t: t + "pets/cat/1.jpg,  \n", "t.csv:14: the label is empty"),
    ],
)
def test_b52_columns_and_labels(pets, capsys, change, expected):
    (line,) = failing(capsys, table(pets, change(rows(pets))))
    assert expected in line


def test_b52_blanks_around_a_label_are_no_class(pets, capsys):
    text = rows(pets).replace(",cat\n", ", cat \n")
    ran = check(capsys, table(pets, text))
    assert ran.code == 0
    assert "cat " in ran.out


@pytest.mark.parametrize("cell", ["NaN", "nan", "#N/A", "<NA>", "#REF!"])
def test_b52_what_programs_write_for_nothing_is_no_class(pets, capsys, cell):
    file = table(pets, f"path,label\n{rows(pets)}a.jpg,{cell}\n")
    (line,) = failing(capsys, file)
    assert f"the label is {cell}, which is no name - fill it" in line
    assert "--skip_unlabelled" in line
    file = table(pets, f"path,label\n{rows(pets)}a.jpg,none\n")
    errors = check(capsys, file).errors
    assert not [line for line in errors if "the label is" in line]


def test_b52_a_test_label_that_training_lacks(pets, capsys):
    text = rows(pets).replace("\n", ",train\n").replace(
        "label,train", "label,split"
    )  # fmt: skip
    (pets / "cat" / "t.jpg").write_bytes(jpeg(800))
    text += "pets/cat/t.jpg,cats,test\n"
    (line,) = failing(capsys, table(pets, text))
    assert "t.csv:14: the label 'cats' is of no training row" in line
    assert "did you mean 'cat'?" in line


def test_b53_the_same_row_again_is_counted(pets, capsys):
    ran = check(capsys, table(pets, rows(pets) + "pets/cat/1.jpg,cat\n"))
    assert (ran.code, ran.counts) == (0, (13, 12, 0, 1))


def test_b53_one_picture_with_two_labels(pets, capsys):
    text = rows(pets) + "pets/cat/../cat/1.jpg,dog\n"
    (line,) = failing(capsys, table(pets, text))
    assert "t.csv:14: pets/cat/../cat/1.jpg stands here as dog" in line
    assert "t.csv:3 as cat" in line


def with_measurement(pets, value: str):
    """A table of 1 and 2, and of one label more in its last row."""
    text = rows(pets).replace(",cat\n", ",1\n").replace(",dog\n", ",2\n")
    (pets / "cat" / "t.jpg").write_bytes(jpeg(800))
    return table(pets, f"{text}pets/cat/t.jpg,{value}\n")


@pytest.mark.parametrize("value", ["inf", "0.73", "-1.5"])
def test_b54_measurements_are_no_classes(pets, capsys, value):
    file = with_measurement(pets, value)
    (line,) = failing(capsys, file, "--task=multiclass")
    assert "its labels are numbers and 1 of them are not whole" in line
    assert "t.csv:14" in line


@pytest.mark.parametrize("value", ["0.73", "-1.5"])
def test_b54_measurements_are_numbers_to_predict(pets, capsys, value):
    assert check(capsys, with_measurement(pets, value)).code == 0


def test_b54_whole_numbers_are_names(pets, capsys):
    text = rows(pets).replace(",cat\n", ",-1\n").replace(",dog\n", ",10\n")
    assert check(capsys, table(pets, text)).code == 0


def test_b55_one_listed_picture_is_absent(pets, capsys):
    os.unlink(pets / "cat" / "1.jpg")
    text = as_csv(pets).read_text() + "pets/cat/1.jpg,cat\n"
    ran = check(capsys, table(pets, text), "--max_bad_fraction=0.1")
    assert (ran.code, ran.counts) == (0, (12, 11, 1, 0))
    assert "t.csv:13: pets/cat/1.jpg: no such file" in ran.skips[0]


def test_b55_all_are_absent(pets, capsys):
    file = as_csv(pets)
    pets.rename(pets.parent / "moved")
    ran = check(capsys, file)
    assert ran.code == 3
    assert ran.counts == (12, 0, 12, 0)
    assert "12 of 12 pictures cannot be used" in ran.err
    assert "is --data_dir right?" in ran.err


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tfds:minst", "did you mean mnist"),
        ("tfds:xyzxyz", "see the TFDS catalogue"),
        ("tfds:", "expected tfds:NAME"),
        ("tfds:huggingface:x/y", "expected tfds:NAME"),
        ("tfds:mnist/nope", "no such config or version"),
        ("tfds:mnist:9.9.9", "no such config or version"),
    ],
)
def test_b56_tfds_names(tmp_path, capsys, name, expected):
    ran = check(capsys, name, f"--data_dir={tmp_path}")
    assert ran.code == 3
    assert len(ran.errors) == 1
    assert expected in ran.errors[0]
    assert len(ran.errors[0]) < 400


def test_b56_code_in_data_dir_is_not_run(tmp_path, capsys):
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "evil.py").write_text(f"open('{tmp_path}/ran', 'w')\n")
    (folder / "__init__.py").write_text(f"open('{tmp_path}/ran', 'w')\n")
    ran = check(capsys, "tfds:evil", f"--data_dir={tmp_path}")
    assert ran.code == 3
    assert not (tmp_path / "ran").exists()


def test_b56_without_a_network_it_says_so_at_once(
    tmp_path, capsys, monkeypatch
):
    from tl_keras.data import catalogues

    def offline(*_):
        raise OSError("Name or service not known")

    monkeypatch.setattr(catalogues.socket, "getaddrinfo", offline)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    ran = check(capsys, "tfds:mnist", f"--data_dir={tmp_path}")
    assert ran.code == 4
    assert "cannot be downloaded" in ran.errors[0]
    assert "--data_dir" in ran.errors[0]


def test_b56_a_checksum_that_differs(tmp_path, capsys, monkeypatch):
    import tensorflow_datasets as tfds

    from tl_keras.data import catalogues

    def wrong(self, **_):
        raise tfds.core.download.download_manager.NonMatchingChecksumError(
            "a", "b"
        )

    monkeypatch.setattr(catalogues.socket, "getaddrinfo", lambda *_: [])
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", wrong)
    ran = check(capsys, "tfds:mnist", f"--data_dir={tmp_path}")
    assert ran.code == 3
    assert "its checksum differs" in ran.errors[0]
