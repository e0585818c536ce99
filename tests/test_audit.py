"""The data check's own parts: kept facts, likeness, pages, the job."""

import dataclasses
import json
import os
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from spoiling import check, encode, good_folder, jpeg, picture

from tl_keras import TransferConfig, pages
from tl_keras.audit import Rules, check_listing, findings, reading
from tl_keras.audit.cache import FactCache
from tl_keras.audit.duplicates import MIRRORED, SAME
from tl_keras.audit.facts import Facts
from tl_keras.data import Examples, Listing, list_dataset
from tl_keras.inputs.image import pixels
from tl_keras.inputs.image.header_facts import TURNED
from tl_keras.jobs.checking import check_data
from tl_keras.tasks.label_issue import LabelIssue


@pytest.fixture
def pets(tmp_path):
    return good_folder(tmp_path / "pets", 6)


def checked(folder, **rules):
    return check_listing(list_dataset(str(folder)), str(folder), Rules(**rules))


def counted(monkeypatch) -> list[str]:
    """The files that are opened from here on."""
    opened = []
    real = reading.read_regular

    def read(file, most):
        opened.append(os.path.basename(file))
        return real(file, most)

    monkeypatch.setattr(reading, "read_regular", read)
    return opened


def test_unchanged_files_are_not_read_twice(pets, monkeypatch):
    first = checked(pets)
    opened = counted(monkeypatch)
    monkeypatch.setattr(reading, "decoded_batches", lambda *_: iter(()))
    again = checked(pets)
    assert opened == []
    assert [r.facts for r in again.rows] == [r.facts for r in first.rows]
    assert again.listing.fingerprint() == first.listing.fingerprint()


def test_changed_files_alone_are_read_again(pets, monkeypatch):
    checked(pets)
    (pets / "cat" / "3.jpg").write_bytes(jpeg(900))
    os.utime(pets / "dog" / "2.jpg", (1, 1))
    opened = counted(monkeypatch)
    checked(pets)
    assert sorted(opened) == ["2.jpg", "3.jpg"]


def test_other_rules_need_no_reading(pets, monkeypatch):
    """What is kept are facts; verdicts are given anew."""
    checked(pets)
    opened = counted(monkeypatch)
    assert checked(pets, min_side=100).counts()["skipped"] == 12
    assert opened == []


def test_fast_facts_are_completed_by_a_full_check(pets, monkeypatch):
    fast = checked(pets, check="fast")
    assert all(row.facts.decoded == "" for row in fast.rows)
    opened = counted(monkeypatch)
    full = checked(pets)
    assert all(row.facts.decoded == "yes" for row in full.rows)
    assert opened == []


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_cache_counts_as_none(pets, seed):
    checked(pets)
    file = FactCache.of(str(pets)).file
    content = bytearray(file.read_bytes())
    draw = np.random.default_rng(seed)
    place = int(draw.integers(len(content)))
    if seed % 2:
        content[place] = (content[place] + 1) % 128
    else:
        content = content[:place]
    file.write_bytes(content)
    assert FactCache.of(str(pets)).known == {}
    assert checked(pets).counts()["used"] == 12


def test_a_cache_that_cannot_be_written_is_no_fault(pets, monkeypatch):
    file = pets.parent / "no_folder"
    file.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    assert checked(pets).counts()["used"] == 12


def examples_of(pictures: dict[str, Image.Image]) -> Listing:
    encoded = tuple(encode(p, "PNG") for p in pictures.values())
    labels = np.zeros(len(pictures), np.int32)
    examples = Examples(tuple(pictures), labels, encoded=encoded)
    return Listing({"train": examples}, ("one", "two"), {})


def test_copies_that_differ_in_their_bytes_are_found():
    original = picture(1, (120, 90))
    listing = examples_of(
        {
            "original": original,
            "smaller": original.resize((70, 60)),
            "mirrored": original.transpose(Image.FLIP_LEFT_RIGHT),
            "other": picture(2, (120, 90)),
            "plain": Image.new("RGB", (90, 90), "blue"),
            "plain again": Image.new("RGB", (80, 90), "red"),
            "tiny": picture(1, (20, 15)),
        }
    )
    report = check_listing(listing, "test", Rules())
    found = {(p.first.id, p.second.id): p.kind for p in report.pairs}
    assert found == {
        ("original", "smaller"): SAME,
        ("original", "mirrored"): MIRRORED,
        ("smaller", "mirrored"): MIRRORED,
    }


def planted(image: Image.Image, seed: int) -> dict[str, bytes]:
    """Copies as people make them."""
    draw = np.random.default_rng(seed)
    share = draw.uniform(0.4, 1)
    small = image.resize([max(32, int(side * share)) for side in image.size])
    mirror = small.transpose(Image.FLIP_LEFT_RIGHT)
    quality = int(draw.integers(30, 90))
    return {
        "re-encoded": encode(image, "JPEG", quality=quality),
        "resized": encode(small, "JPEG", quality=90),
        "mirrored": encode(mirror, "JPEG", quality=quality),
        "webp": encode(small, "WEBP", quality=quality),
    }


def test_likeness_on_photographs(shared, tmp_path):
    """Falsely suspected: at most 1 %; planted ones found: at least 90 %."""
    root = shared / "data" / "cats_vs_dogs"
    plain = checked(root)
    suspected = {row.id for pair in plain.pairs
                 for row in (pair.first, pair.second)}  # fmt: skip
    assert len(plain.rows) == 600
    assert len(suspected) <= 6
    ids, encoded = [], []
    for number, row in enumerate(plain.rows[::4]):
        with Image.open(row.file) as image:
            copies = planted(image.convert("RGB"), number)
        with open(row.file, "rb") as stream:
            copies["original"] = stream.read()
        ids += [f"{number}/{how}" for how in copies]
        encoded += copies.values()
    examples = Examples(
        tuple(ids), np.zeros(len(ids), np.int32), encoded=tuple(encoded)
    )
    report = check_listing(
        Listing({"train": examples}, ("a", "b"), {}), "planted", Rules()
    )
    found = set()
    for pair in report.pairs:
        first, second = (r.id.split("/") for r in (pair.first, pair.second))
        if first[0] == second[0] and "original" in (first[1], second[1]):
            found.add((first[0], first[1] if second[1] == "original" else
                       second[1]))  # fmt: skip
    wanted = len(plain.rows[::4]) * 4
    print(f"\nfalsely suspected {len(suspected)} of 600; found {len(found)} "
          f"of {wanted} planted")  # fmt: skip
    assert len(found) >= 0.9 * wanted


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_orientation_of_both_byte_orders(order):
    encoded = []
    for value in range(1, 9):
        exif = Image.Exif()
        exif.endian = order
        exif[0x0112] = value
        encoded.append(encode(picture(1), "JPEG", exif=exif))
    examples = Examples(
        tuple("12345678"), np.zeros(8, np.int32), encoded=tuple(encoded)
    )
    reader = reading.Reader(decode=False, look=False, max_pixels=10**8)
    turned = [TURNED in facts.notes for facts in reader.read(examples)]
    assert turned == [False] + [True] * 7


def test_pages_escape_values_and_forbid_scripts():
    facts = Facts("0" * 64, "PNG", 9, 9)
    report = checked_report('<script>alert("x")</script>', facts)
    page = pages.render("data_report.html", **report)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    policy = re.search(r'Security-Policy" content="([^"]*)"', page)[1]
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    )
    assert "http" not in page.replace("http-equiv", "")


def checked_report(name: str, facts: Facts) -> dict:
    from tl_keras.audit import report_view
    from tl_keras.audit.reports import Report

    listing = Listing({"train": Examples((), np.zeros(0, np.int32))},
                      (name, "b"), {name: 1})  # fmt: skip
    doubted = LabelIssue(name, "", name, "b", 0.1, 0.9)
    report = Report(
        name, Rules(), listing, faults=(name,), warnings=(name,),
        label_issues=(doubted,),
    )  # fmt: skip
    return {
        "name": name, "report": report, "counts": report.counts(),
        "classes": report_view.classes(report), "sizes": report_view.sizes(()),
        "skipped": report_view.skipped(report, 9), "same": [], "alike": [],
        "label_issues": report_view.doubted(report),
    }  # fmt: skip


def test_thumbnails_are_encoded_anew():
    exif = Image.Exif()
    exif[0x010F] = "a camera of mine"
    content = encode(picture(1, (600, 300)), "JPEG", exif=exif)
    uri = pages.thumbnail(pixels.decode(content).numpy())
    import base64

    small = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
    assert b"camera" not in small
    assert b"Exif" not in small
    assert len(small) < 20_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\u202eb", "a\\u202eb"),
        ("a\udcffb", "a\\xffb"),
        ("a\u2028b\n", "a\\u2028b\\x0a"),
        ("né <b>", "né <b>"),
        ("می‌خورم 👩‍🍳 ice\u00a0cream", "می‌خورم 👩‍🍳 ice\u00a0cream"),
    ],
)
def test_nothing_in_a_name_moves_the_cursor(text, shown):
    assert pages.escape_controls(text) == shown


def test_the_report_holds_no_absolute_path(pets, tmp_path, capsys):
    (pets / "cat" / "bad.jpg").write_bytes(b"")
    out = tmp_path / "out"
    check(capsys, pets, f"--output_dir={out}", "--max_bad_fraction=0.1")
    for name in ("data_report.json", "data_report.html"):
        assert str(tmp_path) not in (out / name).read_text(encoding="utf-8")
    report = json.loads((out / "data_report.json").read_text())
    assert report["trainable"] is True
    assert report["books"] == {
        "found": 13, "used": 12, "skipped": 1, "ignored": 0
    }  # fmt: skip
    assert report["skipped"][0]["id"] == "cat/bad.jpg"


def test_a_faulty_dataset_still_gets_its_report(pets, tmp_path, capsys):
    for file in (pets / "cat").iterdir():
        file.write_bytes(b"")
    out = tmp_path / "out"
    ran = check(capsys, pets, f"--output_dir={out}", "--max_bad_fraction=1")
    assert ran.code == 3
    report = json.loads((out / "data_report.json").read_text())
    assert report["trainable"] is False
    assert report["faults"][0].startswith("class 'cat': none of its pictures")


@pytest.mark.parametrize("seed", range(3))
def test_copies_that_were_cut_apart_are_warned_about(pets, capsys, seed):
    for i in range(4):
        small = picture(i, (64, 48)).resize((60, 40))
        small.save(pets / "cat" / f"small{i}.png")
    ran = check(capsys, pets, f"--seed={seed}", "--test_fraction=0.4")
    alike, apart = ran.warnings
    assert alike.startswith("4 pairs of pictures look alike in one class")
    first, second = re.search(
        r"as (\S+ \(\w+\)) and (\S+ \(\w+\))", apart
    ).groups()
    assert first.split(" ")[1] != second.split(" ")[1]


def test_digits_pass_the_check(capsys):
    ran = check(capsys, "digits")
    assert (ran.code, ran.counts) == (0, (1797, 1797, 0, 0))


def test_a_run_leaves_out_what_the_check_skips(pets, capsys):
    (pets / "cat" / "bad.jpg").write_bytes(jpeg(50)[:300])
    config = TransferConfig(
        dataset=str(pets), max_bad_fraction=0.1, val_fraction=0.2
    )
    report, images = check_data(config, 16)
    assert images.counts["skipped"] == 1
    assert images.counts["found"] == 13
    ids = [i for e in images.examples().values() for i in e.ids]
    assert "cat/bad.jpg" not in ids
    assert len(ids) == 12
    assert report.listing.skipped[0].id == "cat/bad.jpg"
    off = dataclasses.replace(config, check="off")
    assert check_data(off, 16)[1].counts["used"] != images.counts["used"]


@pytest.mark.parametrize(
    ("split", "counts", "told"),
    [
        ("train", (20, 10), False),
        ("train", (29, 10), False),
        ("train", (30, 10), True),
        ("train", (10, 120, 20), True),
        ("test", (30, 10), False),
        ("test", (500, 10), True),
    ],
)
def test_classes_of_uneven_size_are_told_from_where_it_matters(
    split, counts, told
):
    names = [f"class{n}" for n in range(len(counts))]
    examples = SimpleNamespace(labels=np.repeat(range(len(counts)), counts))
    listing = SimpleNamespace(
        splits={split: examples}, class_names=names, skipped=()
    )
    lines = findings.warnings_of(listing, [], [], {}, set())
    assert [line for line in lines if "macro-F1" in line] == lines
    assert bool(lines) == told
    for line in lines:
        assert f"{max(counts)} pictures of" in line
        assert "--class_weights=balanced" in line
