"""Folders as people have them: splits, parts, junk, kinds, names, cuts.

Nothing here loads TensorFlow: a listing opens no picture.
"""

import os
import sys
import unicodedata

import numpy as np
import pytest

from tl_keras.data import (
    Cut,
    Examples,
    Listing,
    ListOptions,
    Unlabelled,
    check_cut,
    faults_of_skips,
    list_dataset,
)
from tl_keras.data.split_words import split_named
from tl_keras.data.splits import cut_splits
from tl_keras.errors import DataError, MachineError, TlKerasError
from tl_keras.inputs.image import formats

JPEG = b"\xff\xd8\xff\xe0"  # enough to be taken for one


def made(root, *paths: str):
    """A folder with these files, each a picture of its own by its bytes."""
    for number, path in enumerate(paths):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(JPEG + b"%d" % number)
    return root


def refused(root, **options) -> str:
    with pytest.raises(DataError) as caught:
        list_dataset(str(root), **options)
    return "\n".join(caught.value.faults).replace(str(root), "ROOT")


def sizes(listing: Listing) -> dict[str, int]:
    return {split: len(e) for split, e in listing.splits.items()}


@pytest.mark.parametrize("given", ["", [], [""], ["", "  "]])
def test_no_error_is_empty(given):
    for kind in (TlKerasError, DataError, MachineError):
        error = kind(given)
        assert len(error.faults) == 1
        assert "please report it" in error.faults[0]
    assert DataError(["a", ""]).faults == ("a",)


SPLITS = {
    "Kaggle": ("Training", "Testing"),
    "with digits": ("train1", "test1"),
    "with another word": ("seg_train", "seg_test"),
    "three": ("training", "evaluation", "validation"),
    "eval beside test": ("TRAIN", "test", "eval"),
    "with a filler": ("train_set", "val-set", "Test Set"),
    "in one word": ("trainset", "testset"),
    "in camels": ("TrainImages", "ValidImages"),
    "years": ("train2017", "val2017"),
}


@pytest.mark.parametrize("case", SPLITS)
def test_the_usual_words_for_splits(case, tmp_path):
    for number, split in enumerate(SPLITS[case]):
        made(tmp_path / split, *(f"{c}/{number}{i}.jpg" for c in "ab"
                                 for i in range(3)))  # fmt: skip
    listing = list_dataset(str(tmp_path))
    assert listing.class_names == ("a", "b")
    expected = {"train", "test"}
    if case in ("three", "with a filler", "eval beside test"):
        expected = {"train", "val", "test"}
    elif case in ("in camels", "years"):
        expected = {"train", "val"}
    assert sizes(listing) == dict.fromkeys(expected, 6)


@pytest.mark.parametrize(
    ("word", "split"),
    [("Training", "train"), ("dev", "val"), ("test_tube", None), ("bus", None)],
)
def test_a_word_of_a_table(word, split):
    assert split_named(word) == split


# Layout -> its files, and what its line must hold.
TWO_READINGS = {
    "flat splits": (
        ("train/a.1.jpg", "test1/1.jpg"),
        ("--label_regex=", "--label_from=first"),
    ),
    "pictures and masks": (
        ("images/1.jpg", "annotations/1.png"),
        ("--dataset=ROOT/images", "--label_regex=", "--label_from=first"),
    ),
    "parts with the classes in them": (
        [f"{p}/{c}/1.jpg" for p in ("color", "grayscale", "segmented")
         for c in ("apple", "pear")],
        ("--dataset=ROOT/color", "--label_from=first"),
    ),
    "the same folders in each": (
        [f"{p}/{c}/1.jpg" for p in ("north", "south", "west")
         for c in ("apple", "pear", "plum")],
        ("--label_from=leaf", "--dataset=ROOT/north", "--label_from=first"),
    ),
    "masks in each class": (
        [f"{c}/{p}/1.png" for c in ("COVID", "Normal")
         for p in ("images", "masks")],
        ("--exclude=masks", "--label_from=first"),
    ),
    "splits in each class": (
        [f"{c}/{s}/1.jpg" for c in ("cat", "dog") for s in ("train", "test")],
        ("train/CLASS/", "--label_from=first"),
    ),
    "one split among others": (
        ("train/a/1.jpg", "train/b/1.jpg", "other/1.jpg"),
        ("--dataset=ROOT/train", "--label_from=first"),
    ),
    "splits among others": (
        ("train/a/1.jpg", "test/a/1.jpg", "unlabeled/1.jpg"),
        ("--exclude=unlabeled", "--label_from=first"),
    ),
    "no split to train on": (
        ("val/a/1.jpg", "val/b/1.jpg", "test/a/1.jpg", "test/b/1.jpg"),
        ("--dataset=ROOT/test", "--dataset=ROOT/val", "--label_from=first"),
    ),
    "split and class in one name": (
        ("trainA/1.jpg", "trainB/1.jpg", "testA/1.jpg", "testB/1.jpg"),
        ("train/", "--label_from=first"),
    ),
    "folds": (
        [f"fold{n}/{c}/1.jpg" for n in range(3) for c in "ab"],
        ("--dataset=ROOT/fold0", "--label_from=first"),
    ),
    "a test set without labels among classes": (
        ("cat/1.jpg", "dog/1.jpg", "test/1.jpg"),
        ("--exclude=test", "--label_from=first"),
    ),
    "tiny-imagenet": (
        ("train/n1/images/1.JPEG", "train/n2/images/1.JPEG",
         "val/images/1.JPEG"), ("--exclude=val",),
    ),
    "Office-31": (
        [f"{p}/images/{c}/1.jpg" for p in ("amazon", "dslr", "webcam")
         for c in ("bike", "mug")],
        ("--label_from=leaf", "--label_from=first"),
    ),
    "HAM10000": (
        ("HAM10000_images_part_1/1.jpg", "HAM10000_images_part_2/2.jpg"),
        ("--label_regex=", "--label_from=first"),
    ),
    "cell_images": (
        [f"{p}{c}/1.png" for p in ("", "cell_images/")
         for c in ("Parasitized", "Uninfected")],
        ("--exclude=cell_images", "--label_from=first"),
    ),
    "a test set without labels": (
        ("train/a/1.jpg", "train/b/1.jpg", "test/1.jpg"), ("--exclude=test",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TWO_READINGS)
def test_what_can_be_read_in_two_ways_says_both(case, tmp_path):
    files, flags = TWO_READINGS[case]
    made(tmp_path, *files)
    line = refused(tmp_path)
    assert all(flag in line for flag in flags), line
    if "--label_from=first" in flags and case != "flat splits":
        listing = list_dataset(str(tmp_path), label_from="first")
        assert set(listing.class_names) == set(os.listdir(tmp_path))


def test_the_remedies_are_taken(tmp_path):
    """The commands that the lines give lead out, and in no circle."""
    files, _ = TWO_READINGS["masks in each class"]
    made(tmp_path / "covid", *files)
    listing = list_dataset(str(tmp_path / "covid"), exclude=("masks",))
    assert listing.class_names == ("COVID", "Normal")
    assert sizes(listing) == {"train": 2}
    files, _ = TWO_READINGS["the same folders in each"]
    made(tmp_path / "places", *files)
    listing = list_dataset(str(tmp_path / "places"), label_from="leaf")
    assert listing.class_names == ("apple", "pear", "plum")
    made(
        tmp_path / "pets",
        "train/cat.1.jpg",
        "train/dog.1.jpg",
        "test/cat.2.jpg",
    )
    named = list_dataset(str(tmp_path / "pets"), label_regex=r"(\w+)\.\d+")
    assert named.class_names == ("cat", "dog")
    assert sizes(named) == {"train": 2, "test": 1}


@pytest.mark.parametrize(
    "folders",
    [
        ("mask", "no_mask"), ("test_tube", "train_station"), ("s1", "s2"),
        ("valley", "training_shoe"), ("class1", "class2"), ("original", "fake"),
    ],
)  # fmt: skip
def test_classes_that_sound_like_splits_or_parts_stay_classes(
    folders, tmp_path
):
    made(tmp_path, *(f"{name}/1.jpg" for name in folders))
    assert list_dataset(str(tmp_path)).class_names == tuple(sorted(folders))


# Layout -> its files, what is given, and the folder that was meant.
MEANT = {
    "CUB": (
        ("images/001.A/1.jpg", "images/002.B/1.jpg", "parts/parts.txt",
         "attributes/a.txt", "images.txt"), "", "images",
    ),
    "two folders too high": (("x/y/a/1.jpg", "x/y/b/1.jpg"), "", "x/y"),
    "a class": (("a/1.jpg", "a/2.jpg", "b/1.jpg"), "a", ""),
    "test alone": (("test/a/1.jpg", "test/b/1.jpg"), "", "test"),
    "wrapped splits": (
        [f"seg_{s}/seg_{s}/{c}/1.jpg" for s in ("train", "test")
         for c in "ab"], "", "seg_train/seg_train",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MEANT)
def test_one_folder_too_high_or_too_low_names_the_right_one(case, tmp_path):
    files, given, meant = MEANT[case]
    made(tmp_path / "data", *files)
    line = refused(tmp_path / "data" / given)
    wanted = str(tmp_path / "data" / meant)
    if given:
        assert f"--dataset={wanted}" in line
    else:
        assert f"--dataset={wanted}".replace(
            str(tmp_path / "data"), "ROOT"
        ) in line  # fmt: skip
    if case not in ("test alone",):
        # What is named can be listed.
        assert list_dataset(wanted).class_names


def test_a_table_beside_the_pictures_is_named(tmp_path):
    made(tmp_path, "train/0.jpg", "train/1.jpg")
    (tmp_path / "labels.csv").write_text("id,breed\n")
    assert "--dataset=ROOT/labels.csv" in refused(tmp_path)


JUNK = (
    "a/@eaDir/1.jpg/SYNOPHOTO_THUMB_XL.jpg", "#recycle/a/old.jpg",
    "@Recycle/1.jpg", "$RECYCLE.BIN/1.jpg", "__MACOSX/a/1.jpg",
    "a/.ipynb_checkpoints/1-checkpoint.jpg", "a/Thumbs.db", "a/desktop.ini",
    "System Volume Information/x.jpg", "a/._1.jpg", "a/.thumbnails/1.jpg",
)  # fmt: skip


def test_known_junk_is_ignored_and_counted(tmp_path):
    made(tmp_path, "a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg", *JUNK)
    listing = list_dataset(str(tmp_path))
    assert listing.class_names == ("a", "b")
    assert sizes(listing) == {"train": 4}
    assert listing.ignored == {"hidden, or left by a tool": len(JUNK)}
    pictures = Unlabelled(str(tmp_path))
    assert len(list(pictures)) == 4
    assert pictures.ignored["hidden, or left by a tool"] == len(JUNK)


@pytest.mark.parametrize(
    ("names", "flag"),
    [
        (("1.png", "1_mask.png"), "--exclude=*_mask*"),
        (("b (1).png", "b (1)_mask.png", "b (1)_mask_1.png"), "*_mask*"),
        (("x.jpg", "x_segmentation.png"), "--exclude=*_segmentation*"),
        (("x.jpg", "x-GT.png"), "--exclude=*-GT*"),
        (("x.png", "mask_x.png"), "--exclude=mask_*"),
    ],
)
def test_pictures_and_their_masks_are_told_and_left_out(names, flag, tmp_path):
    made(tmp_path, *(f"{c}/{name}" for c in "ab" for name in names))
    (line,) = list_dataset(str(tmp_path)).warnings
    assert flag in line
    assert f"{2 * (len(names) - 1)} of {2 * len(names)} pictures" in line
    pattern = line.split("--exclude=")[1]
    listing = list_dataset(str(tmp_path), exclude=(pattern,))
    assert sizes(listing) == {"train": 2}
    assert listing.warnings == ()


def test_two_pictures_of_one_name_are_told(tmp_path):
    made(tmp_path, *(f"{c}/{i}.{e}" for c in "ab" for i in range(3)
                     for e in ("jpg", "png")))  # fmt: skip
    (line,) = list_dataset(str(tmp_path)).warnings
    assert "12 of 12 pictures share their name" in line
    assert line.endswith("--exclude=*.png")


def test_include_and_exclude_compare_names_and_paths(tmp_path):
    made(tmp_path, "a/x/1.jpg", "a/2.jpg", "b/x/3.jpg", "b/4.png", "c/5.gif")

    def ids(**options):
        listing = list_dataset(str(tmp_path), partial=True, **options)
        return set(listing.splits["train"].ids)

    assert ids(exclude=("x",)) == {"a/2.jpg", "b/4.png", "c/5.gif"}
    assert ids(exclude=("a/x/*",)) == {
        "a/2.jpg",
        "b/x/3.jpg",
        "b/4.png",
        "c/5.gif",
    }
    assert ids(include=("*.jpg",)) == {"a/x/1.jpg", "a/2.jpg", "b/x/3.jpg"}
    assert ids(include=("*.jpg",), exclude=("b",)) == {"a/x/1.jpg", "a/2.jpg"}
    assert ids(exclude=("c",)) == {
        "a/x/1.jpg",
        "a/2.jpg",
        "b/x/3.jpg",
        "b/4.png",
    }
    options = ListOptions(exclude=("x", "*.gif"))
    pictures = Unlabelled(str(tmp_path), "", options)
    assert {f.id for f in pictures} == {"a/2.jpg", "b/4.png"}
    assert pictures.ignored == {"left out by --include or --exclude": 3}


TIFF, PSD = b"II*\0" + bytes(40), b"8BPS" + bytes(40)
# A file's name, its bytes, and whether it is taken, skipped or ignored.
KINDS = {
    "a name from the web": ("1.jpg_large", JPEG, "taken"),
    "a query behind it": ("1.jpg?w=600", JPEG, "taken"),
    "no extension": ("00001", JPEG, "taken"),
    "another extension": ("1.pjpeg", b"\x89PNG\r\n\x1a\n", "taken"),
    "a backup": ("1.jpeg~", JPEG, "taken"),
    "TIFF": ("1.tif", TIFF, "taken"),
    "TIFF without a name": ("1", TIFF, "taken"),
    "PSD": ("1.psd", PSD, "PSD is not supported"),
    "PSD without a name": ("1", PSD, "PSD is not supported"),
    "EPS": ("1.eps", b"%!PS-Adobe-3.0 EPSF", "PostScript is not supported"),
    "SVG": ("1.svg", b"<svg xmlns=''>", "SVG is not supported"),
    "raw by name": ("1.nef", TIFF, "a raw photograph is not supported"),
    "raw by content": ("1.tif", b"II*\0\x10\0\0\0CR", "a raw photograph is"),
    "a JPEG named as PSD": ("1.psd", JPEG, "taken"),
    "text": ("1.txt", b"words", "ignored"),
    "a bitmap of words": ("bmw.txt", b"BMW, Audi and others", "ignored"),
    "PDF": ("1.pdf", b"%PDF-1.7", "ignored"),
    "a video": ("1.mp4", b"\0\0\0\x18ftypisom" + bytes(20), "ignored"),
    "nothing": ("LICENSE", b"", "ignored"),
}


@pytest.mark.parametrize("case", KINDS)
def test_what_a_file_is_decides(case, tmp_path):
    name, content, expected = KINDS[case]
    made(tmp_path, "a/good.jpg", "b/good.jpg")
    (tmp_path / "a" / name).write_bytes(content)
    listing = list_dataset(str(tmp_path))
    got = {f.id: f.reason for f in Unlabelled(str(tmp_path))}.get(f"a/{name}")
    assert listing.found() == 3
    if expected == "taken":
        assert f"a/{name}" in listing.splits["train"].ids
        assert got == ""
        assert listing.notes == {}
    elif expected == "ignored":
        assert listing.ignored == {"not a picture by its first bytes": 1}
        assert got is None
    else:
        (skip,) = listing.skipped
        assert skip.id == f"a/{name}"
        assert skip.reason.startswith(expected)
        assert got == skip.reason
        assert faults_of_skips(listing, 0.01)


def test_heic_says_what_it_needs(tmp_path, monkeypatch):
    made(tmp_path, "a/1.jpg", "b/1.jpg")
    (tmp_path / "a" / "2").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    (skip,) = list_dataset(str(tmp_path)).skipped
    assert "pip install pillow-heif" in skip.reason
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: name)
    assert sizes(list_dataset(str(tmp_path))) == {"train": 3}


def test_a_pipe_without_a_name_is_not_opened(tmp_path):
    made(tmp_path, "a/1.jpg", "b/1.jpg")
    os.mkfifo(tmp_path / "a" / "pipe")
    assert list_dataset(str(tmp_path)).found() == 3


@pytest.mark.parametrize(
    "name",
    [
        "می‌خورم",
        "ශ්‍රී",
        "ice\u00a0cream",
        "👩‍🍳",
        "犬\u3000柴",
        "Köln",
        "\U0001f3f4",
    ],
)
def test_class_names_of_any_script(name, tmp_path):
    made(tmp_path, f"{name}/1.jpg", "other/1.jpg")
    assert set(list_dataset(str(tmp_path)).class_names) == {name, "other"}


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("A", "a"), ("cat", "cat\u200d"), ("ice cream", "ice\u00a0cream"),
        ("é", unicodedata.normalize("NFD", "é")),
    ],
)  # fmt: skip
def test_class_names_that_look_alike(one, two, tmp_path):
    made(tmp_path, f"{one}/1.jpg", f"{two}/1.jpg")
    line = refused(tmp_path)
    assert "differs from" in line
    options = {"case_sensitive_classes": True}
    if one == "A":
        assert "--case_sensitive_classes" in line
        assert list_dataset(str(tmp_path), **options).class_names == ("A", "a")
    else:
        assert "--case_sensitive_classes" not in line
        assert "differs from" in refused(tmp_path, **options)


def test_a_name_that_turns_its_direction_is_named(tmp_path):
    made(tmp_path, "gpj\u202eexe/1.jpg", "a/1.jpg")
    assert "RIGHT-TO-LEFT OVERRIDE (U+202E)" in refused(tmp_path)


def test_a_test_set_may_lack_a_class_and_so_may_an_evaluation(tmp_path):
    made(tmp_path, *(f"{s}/{c}/{s}1.jpg" for s in ("train", "test")
                     for c in "abc"))  # fmt: skip
    (tmp_path / "test" / "c" / "test1.jpg").unlink()
    listing = list_dataset(str(tmp_path))
    assert listing.class_names == ("a", "b", "c")
    assert listing.warnings == (
        "test has no picture of 'c' - its score says nothing about it",
    )
    only = list_dataset(str(tmp_path / "test"), partial=True)
    assert only.class_names == ("a", "b")
    (tmp_path / "test" / "b" / "test1.jpg").unlink()
    assert list_dataset(
        str(tmp_path / "test"), partial=True
    ).class_names == ("a",)  # fmt: skip
    made(tmp_path / "test", "new/1.jpg")
    assert "only here ['new'], missing here ['b', 'c']" in refused(tmp_path)


def listing_of(counts: dict[str, int], groups=None) -> Listing:
    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    ids = tuple(f"{i}.jpg" for i in range(len(labels)))
    examples = Examples(ids, labels.astype(np.int32), files=ids, groups=groups)
    return Listing({"train": examples}, tuple(counts), {})


def test_all_classes_that_are_too_small_are_named_with_what_would_do():
    counts = {f"c{i:02}": 1 + i % 2 if i < 20 else 9 for i in range(40)}
    with pytest.raises(DataError) as caught:
        check_cut(listing_of(counts), Cut())
    (line,) = caught.value.faults
    assert "20 of 40 classes have too few examples" in line
    assert all(f"'c{i:02}'" in line for i in range(20))
    assert "expected at least 3" in line
    check_cut(listing_of({n: max(3, c) for n, c in counts.items()}), Cut())
    with pytest.raises(DataError, match="train_examples_per_class=6"):
        check_cut(listing_of({"a": 8, "b": 20}), Cut(train_per_class=10))
    check_cut(listing_of({"a": 8, "b": 20}), Cut(train_per_class=6))


@pytest.mark.parametrize("val", [0.5, 0.9, 1 - 0.4 - 1e-9])
def test_shares_that_leave_nothing_to_train_on_are_told(val):
    """They once were looked for without end."""
    with pytest.raises(DataError) as caught:
        check_cut(listing_of({"a": 8, "b": 20}), Cut(val, 0.9))
    (line,) = caught.value.faults
    assert "no number is enough" in line
    assert f"a share of {val:g} to validate and of 0.9 to test" in line


@pytest.mark.parametrize("seed", range(4))
def test_a_group_is_on_one_side_of_every_cut(seed):
    draw = np.random.default_rng(seed)
    groups = tuple(f"p{i}" for i in draw.integers(0, 40, 300))
    listing = listing_of({"a": 150, "b": 150}, groups)
    splits, _ = cut_splits(listing, Cut(seed=seed))
    sides = [set(e.groups) for e in splits.values()]
    assert sum(map(len, sides)) == len(set(groups)) == len(set.union(*sides))
    assert sum(map(len, splits.values())) == 300
    for split, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
        held = np.bincount(splits[split].labels, minlength=2)
        assert (abs(held / 150 - share) < 0.07).all(), split
    again, _ = cut_splits(listing, Cut(seed=seed))
    assert all(again[s].ids == splits[s].ids for s in splits)
    other, _ = cut_splits(listing, Cut(seed=seed + 10))
    assert other["test"].ids != splits["test"].ids


def test_groups_that_cannot_be_cut_say_why():
    listing = listing_of({"a": 6, "b": 6}, ("p",) * 6 + tuple("qrstuv"))
    with pytest.raises(DataError, match="too few groups to cut: 'a' 1; expec"):
        cut_splits(listing, Cut())
    # One large patient and two small ones: each split gets one.
    names = ("p",) * 10 + ("q", "r") + ("s",) * 10 + ("t", "u")
    splits, _ = cut_splits(listing_of({"a": 12, "b": 12}, names), Cut())
    assert set(splits["train"].groups) == {"p", "s"}
    assert len(splits["val"]) == len(splits["test"]) == 2


def test_nothing_of_this_loads_tensorflow():
    import subprocess

    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from tl_keras.data import list_dataset, check_cut, Unlabelled\n"
        "import tl_keras.jobs.first_look"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
