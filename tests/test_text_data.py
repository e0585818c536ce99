"""Tables and folders of texts: what is read, what is told, what is refused."""

import json
import os

import pytest

from tl_keras.data.texts import UnlabelledTexts, check_texts, list_texts
from tl_keras.data.texts.checks import language_of, normalized
from tl_keras.data.texts.encodings import is_broken, rows_of, text_of
from tl_keras.errors import DataError
from tl_keras.inputs.text import FIELD_MARK, excerpt, facts_of

ROWS = [("free entry", "spam"), ("see you at ten", "ham"),
        ("win a prize", "spam"), ("call me, please", "ham")]  # fmt: skip


def write_csv(file, rows=ROWS, header="text,label", encoding="utf-8", mark=","):
    """A table with every cell in quotes."""
    lines = [header.replace(",", mark)]
    lines += [mark.join(f'"{cell}"' for cell in row) for row in rows]
    file.write_bytes("\r\n".join(lines).encode(encoding))
    return str(file)


def texts_of(listing, split="train") -> list[str]:
    return [text.decode() for text in listing.splits[split].encoded]


def labelled(listing, split="train") -> list[tuple[str, str]]:
    examples = listing.splits[split]
    names = [listing.class_names[label] for label in examples.labels]
    return list(zip(texts_of(listing, split), names, strict=True))


@pytest.mark.parametrize(
    ("header", "mark"),
    [("text,label", ","), ("Sentence,Category", ","), ("REVIEW,intent", "\t"),
     ("message, class", ";"), ("body,sentiment", ";"), ("query,topic", ",")],
)  # fmt: skip
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"]
)
def test_a_table_is_read_by_its_usual_names_in_any_encoding(
    tmp_path, header, mark, encoding
):
    rows = [*ROWS, ("café très cher, naïf", "ham")]
    file = write_csv(tmp_path / "t.csv", rows, header, encoding, mark)
    listing = list_texts(file)
    assert labelled(listing) == rows
    assert listing.class_names == ("ham", "spam")
    assert listing.splits["train"].ids[0] == "t.csv:2"
    guessed = encoding == "latin-1"
    assert bool(listing.warnings) == guessed
    if guessed:
        assert "a guess" in listing.warnings[0]


def test_which_column_was_found_is_told_where_it_could_be_another(tmp_path):
    assert list_texts(write_csv(tmp_path / "a.csv")).told == ()
    file = write_csv(tmp_path / "b.csv", header="Review,intent")
    assert list_texts(file).told == (
        f"{file}: texts are from the column Review",
        f"{file}: labels are from the column intent",
    )
    named = {"text_columns": ["review"], "label_column": "intent"}
    assert list_texts(file, **named).told == ()
    rows = [("News", *row) for row in ROWS]
    file = write_csv(tmp_path / "c.csv", rows, "Title,body,label")
    assert list_texts(file).told == (
        f"{file}: texts are from the column body, not from title; "
        "--text_column=title,body would join them",
    )


def test_told_columns_are_joined_as_fields(tmp_path):
    rows = [("Great", f"Would\x1ebuy {i}", "good" if i % 2 else "bad")
            for i in range(4)]  # fmt: skip
    file = write_csv(tmp_path / "t.csv", rows, "title,comments,stars")
    listing = list_texts(
        file, text_columns=("Title", "comments"), label_column="stars"
    )
    assert texts_of(listing)[0] == f"Great{FIELD_MARK}Would buy 0"


def test_rows_say_their_split_and_files_theirs(tmp_path):
    rows = [(f"{text} {n}", label, split)
            for n, split in enumerate(("train", "dev", "Testing"))
            for text, label in ROWS]  # fmt: skip
    file = write_csv(tmp_path / "t.csv", rows, "text,label,split")
    listing = list_texts(file)
    assert {s: len(e) for s, e in listing.splits.items()} == {
        "train": 4, "val": 4, "test": 4,
    }  # fmt: skip
    train = write_csv(tmp_path / "train.csv")
    test = write_csv(tmp_path / "test.csv")
    listing = list_texts(train, test_dataset=test)
    assert labelled(listing, "test") == ROWS
    assert listing.splits["test"].ids[0] == "test.csv:2"


def test_json_lines_are_read_and_odd_ones_skipped(tmp_path):
    lines = [json.dumps({"text": text, "label": label, "more": [1]})
             for text, label in ROWS]  # fmt: skip
    lines += [
        "{", "[]", '{"text": 3, "label": "ham"}', '{"label": "ham"}', "",
        '{"text": "half \\ud800", "label": "ham"}',
        '{"text": "score", "label": 0.5}',
    ]  # fmt: skip
    file = tmp_path / "t.jsonl"
    file.write_text("\n".join(lines), "utf-8")
    listing = list_texts(str(file))
    assert labelled(listing) == ROWS
    reasons = {skip.id: skip.reason for skip in listing.skipped}
    assert list(reasons) == [f"t.jsonl:{n}" for n in (5, 6, 7, 8, 10, 11)]
    expected = ("no JSON", "no object", "expected a string", "no text in it",
                "half a character", "one class")  # fmt: skip
    for told, reason in zip(expected, reasons.values(), strict=True):
        assert told in reason
    assert listing.found() == 10


def test_whole_numbers_and_booleans_are_names_of_classes(tmp_path):
    file = tmp_path / "t.jsonl"
    rows = [{"text": f"t {i}", "label": i % 2} for i in range(4)]
    file.write_text("\n".join(map(json.dumps, rows)))
    assert list_texts(str(file)).class_names == ("0", "1")
    file.write_text(file.read_text().replace(": 0}", ": false}"))
    assert list_texts(str(file)).class_names == ("1", "False")


def test_class_folders_of_texts(tmp_path):
    for split, top in (("train", "train"), ("test", "Test")):
        for number, (text, label) in enumerate(ROWS):
            folder = tmp_path / top / label / "deeper"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.TXT").write_text(f"{text} {split}\n")
    (tmp_path / "train" / "ham" / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "train" / "ham" / "empty.txt").write_bytes(b" \n")
    (tmp_path / "train" / "ham" / "zipped.txt").write_bytes(b"PK\x03\x04")
    (tmp_path / "train" / "ham" / ".hidden.txt").write_bytes(b"x")
    listing = list_texts(str(tmp_path))
    assert sorted(texts_of(listing, "test")) == sorted(
        f"{text} test" for text, _ in ROWS
    )
    assert "café" in texts_of(listing)
    assert [s.id for s in listing.skipped] == [
        "train/ham/empty.txt", "train/ham/zipped.txt",
    ]  # fmt: skip
    assert listing.splits["test"].ids[0].startswith("Test/ham/deeper/")
    assert listing.ignored == {"hidden, or left by a tool": 1}
    plain = list_texts(str(tmp_path / "train"))
    assert set(plain.splits) == {"train"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "found nothing"),
        (b"a,b\n1,2\n", "expected a column text (or sentence, review"),
        (b"text,b\n1,2\n", "expected a column label (or category, class"),
        (b"text,text,label\n1,2,3\n", "stands there twice"),
        (b'text,label\n"open,ham\n', "check its quotes"),
        (b"text,label\na,\nb,x\nc,y\n", "t.csv:2: the label is empty"),
        (b"text,label\na,x\nb,x\n", "1 class to train on ('x')"),
        (b"text,label,split\na,x,train\nb,y,middle\n", "the split 'middle'"),
        (
            b"text,label,split\na,x,train\nb,y,train\nc,z,test\n",
            "the label 'z' is of no training row",
        ),
        (b"text,label,split\na,x,test\n", "no row to train on"),
        (
            b"text,label\n" + b"a,%d\n" * 30 % tuple(range(30)),
            "30 labels in 30",
        ),
        (b"PK\x03\x04 and more", "found an Excel file"),
        (b"text,label\n\n\n", "no row to train on"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_one_line(
    tmp_path, content, expected
):
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list_texts(str(file))
    assert expected in "\n".join(caught.value.faults)
    assert len(str(caught.value).splitlines()) == 1


def test_other_faults_of_a_dataset_s_name(tmp_path):
    for name in ("t.xlsx", "nothing"):
        with pytest.raises(DataError, match="expected a table"):
            list_texts(str(tmp_path / name))
    with pytest.raises(DataError, match="cannot be read"):
        list_texts(str(tmp_path / "nothing.csv"))
    with pytest.raises(DataError, match=r"no \.txt"):
        list_texts(str(tmp_path))
    file = write_csv(tmp_path / "t.csv")
    with pytest.raises(DataError, match="expected the column 'words'"):
        list_texts(file, text_columns=["words"])
    with pytest.raises(DataError, match="encoding='klingon'"):
        list_texts(file, encoding="klingon")


def test_rows_with_a_comma_too_many_are_skipped_by_name(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("text,label\nhello,ham\nwell, you know,ham\nwin,spam,,\n")
    listing = list_texts(str(file))
    assert labelled(listing) == [("hello", "ham"), ("win", "spam")]
    assert listing.skipped[0].id == "t.csv:3"
    assert "put quotes around" in listing.skipped[0].reason


@pytest.mark.parametrize(
    ("encoding", "told"),
    [("utf-8", "auto"), ("utf-16", "auto"), ("utf-32", "auto"),
     ("utf-16-be", "auto"), ("cp1252", "auto"), ("shift_jis", "shift_jis"),
     ("koi8-r", "koi8-r")],
)  # fmt: skip
def test_bytes_are_read_in_the_encoding_they_are_in(encoding, told):
    text = {"shift_jis": "日本語です", "koi8-r": "привет, мир"}.get(
        encoding, "“naïve” café, 10 € and more plain letters"
    )
    assert text_of(text.encode(encoding), told)[0] == text


def test_a_byte_that_is_no_utf_8_spoils_its_row_alone():
    content = "café\nnaïve".encode() + b"\nbad \xff\n"
    text, encoding = rows_of(content)
    assert encoding == "utf-8"
    assert [is_broken(line) for line in text.split("\n")] == [
        False, False, True, False,
    ]  # fmt: skip
    assert text == rows_of(b"\xef\xbb\xbf" + content)[0]
    assert text == rows_of(content, "UTF-8")[0]
    # More such bytes than characters of several: no UTF-8.
    assert rows_of("café".encode("latin-1")) == ("café", "windows-1252")
    assert rows_of("naïve".encode("utf-16"))[0] == "naïve"


def test_a_row_that_is_no_utf_8_is_left_out_by_its_line(tmp_path):
    rows = "\n".join(f"café {i},{'ab'[i % 2]}" for i in range(6))
    file = tmp_path / "t.csv"
    file.write_bytes(b"text,label\n" + rows.encode() + b"\nno \xff,a\n")
    listing = list_texts(str(file))
    assert len(listing.splits["train"]) == 6
    (skip,) = listing.skipped
    assert skip.id == "t.csv:8"
    assert "not valid UTF-8" in skip.reason
    lines = tmp_path / "t.jsonl"
    lines.write_bytes(
        b'{"text": "caf\xc3\xa9", "label": "a"}\n'
        b'{"text": "\xff", "label": "a"}\n{"text": "x", "label": "b"}\n'
    )
    (skip,) = list_texts(str(lines)).skipped
    assert (skip.id, skip.reason.split(" - ")[0]) == (
        "t.jsonl:2", "not valid UTF-8",
    )  # fmt: skip


@pytest.fixture
def folders(tmp_path):
    """Two class folders of two texts each."""
    for number, (text, label) in enumerate(ROWS):
        folder = tmp_path / "in" / label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(text)
    return tmp_path / "in"


def test_what_tools_leave_and_links_are_no_texts(folders):
    before = list_texts(str(folders))
    for name in ("ham/.ipynb_checkpoints", "__MACOSX/ham", "@eaDir"):
        (folders / name).mkdir(parents=True)
        (folders / name / "left.txt").write_text("left behind")
    (folders / "ham" / "back").symlink_to("..")
    (folders / "ham" / "photo.jpg").write_bytes(b"x")
    (folders / "README.txt").write_text("what it is")
    listing = list_texts(str(folders))
    assert listing.class_names == ("ham", "spam")
    assert texts_of(listing) == texts_of(before)
    assert listing.ignored == {
        "hidden, or left by a tool": 3, "a link to a folder": 1,
        "not a .txt": 1, "a file beside the class folders": 1,
    }  # fmt: skip
    asked = UnlabelledTexts(str(folders))
    assert sorted(found.id for found in asked) == [
        "README.txt", "ham/1.txt", "ham/3.txt", "spam/0.txt", "spam/2.txt",
    ]  # fmt: skip
    assert asked.ignored["hidden, or left by a tool"] == 3
    assert asked.ignored["a link to a folder"] == 1


def test_a_class_folder_without_texts_is_no_class_in_silence(folders):
    (folders / "other").mkdir()
    (folders / "other" / "a.pdf").write_bytes(b"x")
    with pytest.raises(DataError, match="other: a class folder without texts"):
        list_texts(str(folders))
    listing = list_texts(str(folders), partial=True)
    assert listing.class_names == ("ham", "spam")


def test_a_folder_that_cannot_be_read_is_a_fault(folders, monkeypatch):
    def refusing(path):
        if str(path).endswith("spam"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match=r"spam: the folder cannot be read"):
        list_texts(str(folders))
    with pytest.raises(DataError, match=r"spam: the folder cannot be read"):
        list(UnlabelledTexts(str(folders)))


def test_what_programs_write_for_nothing_is_no_class(tmp_path):
    file = write_csv(tmp_path / "t.csv", [*ROWS, ("hello", "NaN")])
    with pytest.raises(DataError, match=r"t\.csv:6: the label is NaN, which"):
        list_texts(file)
    listing = list_texts(file, skip_unlabelled=True)
    assert listing.class_names == ("ham", "spam")
    assert listing.ignored == {"a row without a label": 1}
    # A word of people's may be a class.
    file = write_csv(tmp_path / "t.csv", [*ROWS, ("hello", "none")])
    assert "none" in list_texts(file).class_names


def test_what_is_not_in_the_told_encoding_is_refused():
    with pytest.raises(DataError, match=r"the file:2: .*\(ff 63\)"):
        text_of(b"ab\n\xffc", "utf-8")
    with pytest.raises(DataError, match=r"found bytes that"):
        text_of(b"\xff\xfea", "auto")


# ---- checks


def checked(tmp_path, rows, header="text,label,split"):
    file = write_csv(tmp_path / "t.csv", rows, header)
    return check_texts(list_texts(file))


FINE = [(f"{what} the {thing} of my friend", label, "train")
        for what, label in (("paint", "a"), ("wash", "b"))
        for thing in ("house", "garden fence", "old car", "kitchen", "boat",
                      "window", "roof")]  # fmt: skip


def test_texts_with_nothing_wrong_have_no_line(tmp_path):
    assert checked(tmp_path, FINE).lines() == []


@pytest.mark.parametrize(
    ("rows", "kind", "fault"),
    [
        ([("Lost card!", "a", "train"), ("lost  CARD", "b", "train")],
         "one text under two labels", True),
        ([("Lost card!", "a", "train"), ("lost card", "a", "test")],
         "one text in two splits", True),
        ([("Lost card!", "a", "train"), ("lost cárd", "a", "train")],
         "the same text again", False),
        ([("\u200b\u200b", "a", "train")], "not UTF-8 or nothing to see", True),
        ([("где моя карта", "a", "train")], "another alphabet", False),
        ([("das ist nicht die Karte", "a", "train")], "another language",
         False),
        ([("free <br/> entry", "b", "train")], "HTML left in", False),
        ([("Fish &amp; chips", "b", "train")], "HTML left in", False),
        ([("one two three four five", "a", "train"),
          ("one two three four five six", "a", "train")],
         "nearly the same text again", False),
        ([("one two three four five", "a", "train"),
          ("one two three four five six", "a", "test")],
         "nearly the same text in two splits", False),
    ],
)  # fmt: skip
def test_each_kind_of_fault_is_found(tmp_path, rows, kind, fault):
    report = checked(tmp_path, [*FINE, *rows])
    assert report.counts == {kind: 1}
    lines = report.faults if fault else report.warnings
    assert lines[0].startswith(f"{kind}: ")
    assert "t.csv:" in lines[0]


def test_label_words_in_the_text_are_told(tmp_path):
    rows = [(f"{text} #spam", "spam" if n % 2 else "ham", "train")
            if n % 2 else (text, "ham", "train")
            for n, (text, *_) in enumerate(FINE)]  # fmt: skip
    report = checked(tmp_path, rows)
    assert report.counts == {"label words in the text": 1}
    assert "'spam' stands in 100%" in report.warnings[0]


def test_many_of_a_kind_are_counted(tmp_path):
    rows = [(f"<b>{text}</b>", label, split) for text, label, split in FINE]
    report = checked(tmp_path, rows)
    assert report.counts == {"HTML left in": 14}
    assert report.warnings[-1] == "HTML left in: and 9 more like these"
    assert len(report.warnings) == 6


def test_texts_that_are_cut_are_told_as_a_share(tmp_path):
    listing = list_texts(
        write_csv(tmp_path / "t.csv", FINE, "text,label,split")
    )
    report = check_texts(listing, cut=["t.csv:2"], max_tokens=8)
    assert (
        "1 of 14 texts (7.1%) lose their end to max_tokens=8"
        in (report.warnings[0])
    )


def test_a_language_of_a_tenth_of_the_texts_belongs_to_them(tmp_path):
    german = [("das ist nicht die Karte", "a", "train"),
              ("der Weg ist nicht das Ziel", "b", "train")]  # fmt: skip
    assert not checked(tmp_path, [*FINE, *german]).counts


def test_what_two_copies_have_in_common():
    assert normalized("  Café, NAÏVE\u00a0straße!") == "cafe naive strasse"
    assert language_of("wo ist die karte") == ""
    assert language_of("i will come tomorrow di") == ""
    assert language_of("ich bin nicht mit der karte zufrieden") == "German"


def test_facts_and_an_excerpt_of_one_text():
    facts = facts_of("Где\u0301 <p>моя</p> card".encode())
    assert (facts.words, facts.alphabet, facts.html) == (3, "CYRILLIC", "<p>")
    assert facts_of(b"ab\xff").faults == ("not valid UTF-8 from byte 2 on",)
    assert facts_of(b" \n").faults == ("empty: nothing in it can be seen",)
    assert facts_of(b"a < b and 1 > 0").faults == ()
    assert excerpt(b"a\n\tb\x07c " * 100, 10) == "a bc a bc…"
    assert excerpt(b"\xff") == "\ufffd"
