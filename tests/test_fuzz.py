"""Seeded and searched nonsense: no crash, no hang, the books balance."""

import csv
import io
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spoiling import encode, jpeg, picture, png

from tl_keras import check, train
from tl_keras.audit import Rules, check_listing
from tl_keras.config.arguments import read_arguments
from tl_keras.config.settings import Settings
from tl_keras.data import Cut, Examples, Listing, list_dataset
from tl_keras.data.split_record import counts_of
from tl_keras.data.splits import cut_splits
from tl_keras.errors import ConfigError, DataError
from tl_keras.inputs.image.header_facts import explain, read_facts

FREELY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
FIELDS = st.sampled_from(["p/a.jpg", "p/b.jpg", "../x", "a b", "cat", "dog",
                          "train", "val", "test", ""]) | TEXTS  # fmt: skip


def tried(call, *arguments):
    """What a call gives, and the lines by which it refuses instead."""
    try:
        return call(*arguments), ()
    except (ConfigError, DataError) as error:
        return None, error.faults


@FREELY
@given(content=st.binary(max_size=200) | TEXTS.map(str.encode))
def test_a_csv_of_any_bytes(tmp_path, content):
    file = tmp_path / "t.csv"
    file.write_bytes(content)
    with pytest.raises(DataError):
        list_dataset(str(file))


@FREELY
@given(
    rows=st.lists(st.lists(FIELDS, min_size=1, max_size=4), max_size=8),
    header=st.sampled_from(
        [["path", "label"], ["path", "label", "split"], ["label", "path", "x"]]
    ),
)
def test_a_csv_of_any_fields(tmp_path, rows, header):
    """It is listed, every row accounted for, or refused in clear lines."""
    (tmp_path / "p").mkdir(exist_ok=True)
    for name in ("a", "b"):
        (tmp_path / "p" / f"{name}.jpg").write_bytes(b"x")
    stream = io.StringIO()
    csv.writer(stream).writerows([header, *rows])
    file = tmp_path / "t.csv"
    file.write_text(stream.getvalue(), encoding="utf-8", newline="")
    listing, faults = tried(list_dataset, str(file))
    assert (listing is None) == bool(faults)
    places = (str(file), "class ", "and ")
    assert all(fault.startswith(places) for fault in faults)
    if faults:
        return
    with open(file, encoding="utf-8-sig", newline="") as stream:
        given_rows = sum(1 for row in csv.reader(stream) if row) - 1
    assert listing.found() == given_rows
    for examples in listing.splits.values():
        for path in examples.files or ():
            assert path.startswith(f"{tmp_path}/")


@FREELY
@given(
    counts=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    val=st.floats(0, 0.9),
    test=st.floats(0.01, 0.9),
    train_per_class=st.none() | st.integers(1, 20),
    val_per_class=st.none() | st.integers(1, 10),
    seed=st.integers(0, 2**31 - 1),
)
def test_any_cut_is_disjoint_and_complete(
    counts, val, test, train_per_class, val_per_class, seed
):
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    ids = tuple(str(i) for i in range(len(labels)))
    listing = Listing(
        {"train": Examples(ids, labels, files=ids)},
        tuple(f"class{i}" for i in range(len(counts))),
        {"not a picture": 3},
    )
    cut = Cut(val, test, train_per_class, val_per_class, seed)
    result, faults = tried(cut_splits, listing, cut)
    if faults:
        assert "examples to cut" in faults[0]
        return
    splits, left_out = result
    taken = [id_ for examples in splits.values() for id_ in examples.ids]
    assert len(taken) == len(set(taken))
    assert len(taken) + sum(left_out.values()) == len(ids)
    for split in ("train", "test"):
        assert set(splits[split].labels.tolist()) == set(range(len(counts)))
    told = counts_of(listing, splits, left_out)
    assert told["found"] == len(ids) + 3


WORDS = st.sampled_from(
    ["--seed", "--seed=1", "--dataset=digits", "--noaugment", "--help=x",
     "--check", "--flagfile=", "--", "-", "---seed=3", "--follow_links=yes",
     "--nofollow_links", "--max_pixels=1e3", "--min_side=", "=", "--=1"]
) | TEXTS.filter(lambda text: "flagfile" not in text)  # fmt: skip


@FREELY
@given(words=st.lists(WORDS, max_size=6))
@pytest.mark.parametrize("command", [train.COMMAND, check.COMMAND])
def test_any_words_on_a_command_line(command, words):
    """Parsed, or refused as a fault of flags; never an exception of ours."""
    read, faults = tried(read_arguments, command, words)
    if not faults:
        _, faults = tried(command.settings.from_strings, read[0])
    assert all(faults)


@FREELY
@given(content=st.binary(max_size=300))
@pytest.mark.parametrize(
    "start",
    [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM",
     b"RIFF\x40\0\0\0WEBPVP8X", b"RIFF\x40\0\0\0WEBPVP8L", b"\0\0\0\x18ftyp"],
)  # fmt: skip
def test_headers_of_any_bytes(start, content):
    facts = read_facts(start + content)
    assert facts.problem or facts.format
    why = explain(start + content, "does not decode")
    assert why.isprintable()
    assert " - " in why


def originals() -> list[tuple[str, bytes]]:
    """One small file of each format and variant."""
    exif = picture(1).getexif()
    exif[0x0112] = 6
    frames = [picture(i, (24, 20)) for i in range(3)]
    more = {"save_all": True, "append_images": frames[1:]}
    return [
        ("jpg", jpeg(1)),
        ("jpg", jpeg(2, progressive=True)),
        ("jpg", jpeg(3, exif=exif)),
        ("jpg", encode(picture(4, mode="CMYK"), "JPEG")),
        ("png", png(5)),
        ("png", encode(picture(6).quantize(16), "PNG", transparency=1)),
        ("png", encode(picture(7, mode="RGBA"), "PNG")),
        ("gif", encode(frames[0], "GIF", **more)),
        ("bmp", encode(picture(8, (24, 20)), "BMP")),
        ("bmp", encode(picture(8, (24, 20)).quantize(16), "BMP")),
        ("webp", encode(picture(9), "WEBP", quality=80)),
        ("webp", encode(picture(10), "WEBP", lossless=True)),
        ("webp", encode(frames[0], "WEBP", **more)),
    ]


def mutated(content: bytes, draw: random.Random) -> bytes:
    """One to eight changes: bytes, cuts, repeats, zeros, lengths."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 8)):
        if not changed:
            break
        place = draw.randrange(len(changed))
        end = min(len(changed), place + draw.randint(1, 64))
        how = draw.randrange(6)
        if how == 0:
            changed[place] = draw.randrange(256)
        elif how == 1:
            changed[place] ^= 1 << draw.randrange(8)
        elif how == 2:
            del changed[place:end]
        elif how == 3:
            changed[place:place] = changed[place:end]
        elif how == 4:
            changed[place:end] = bytes(end - place)
        else:
            # Where headers keep sizes and lengths.
            place = draw.randrange(min(len(changed), 64))
            changed[place] = draw.choice((0, 1, 0x7F, 0x80, 0xFF))
    if draw.random() < 0.15:
        changed = changed[: draw.randrange(len(changed) + 1)]
    return bytes(changed)


def fuzz(folder, count: int, seed: int) -> None:
    draw = random.Random(seed)
    seeds = originals()
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        suffix, content = draw.choice(seeds)
        name = ("cat", "dog")[number % 2]
        file = folder / name / f"{number}.{suffix}"
        file.write_bytes(mutated(content, draw))
    rules = Rules(max_bad_fraction=1.0, near_duplicates=False)
    report = check_listing(list_dataset(str(folder)), str(folder), rules)
    told = report.counts()
    assert told["found"] == count
    assert told["used"] + told["skipped"] + told["ignored"] == count
    # Both happen, or the mutations test nothing:
    assert told["used"] > 0.1 * count
    assert told["skipped"] > 0.1 * count
    for skip in report.listing.skipped:
        assert " - " in skip.reason
        assert skip.reason.isprintable(), skip.reason
    # Facts of a second look are those of the first.
    again = check_listing(list_dataset(str(folder)), str(folder), rules)
    assert again.listing.fingerprint() == report.listing.fingerprint()


def test_2000_mutated_pictures(tmp_path):
    fuzz(tmp_path / "pictures", 2000, seed=1)


@pytest.mark.fuzz
def test_20000_mutated_pictures(tmp_path):
    for seed in range(10):
        fuzz(tmp_path / str(seed), 2000, seed=100 + seed)


def test_a_settings_class_has_no_flag_that_parses_into_a_crash():
    """Each flag of both commands with each of a few dozen odd texts."""
    odd = [
        "",
        " ",
        "0",
        "-0",
        "1e9",
        "nan",
        "None",
        "auto",
        "true",
        "[]",
        "1,2",
        ",",
        "é",
        "\u202e",
        "0x10",
        "1_000",
        "٣",
        "+5",
        "1.",
    ]
    for command in (train.COMMAND, check.COMMAND):
        cls: type[Settings] = command.settings
        for name in cls.__dataclass_fields__:
            for text in odd:
                values = {"dataset": "digits", name: text}
                assert all(tried(cls.from_strings, values)[1])
