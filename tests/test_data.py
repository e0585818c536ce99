"""The data room: listing, cutting, order, views, the books."""

import collections
import csv
import dataclasses
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from conftest import write_picture

from tl_keras.data import Cut, Examples, Listing
from tl_keras.data.split_record import split_changes, write_split
from tl_keras.data.splits import cut_splits
from tl_keras.errors import DataError
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.sources import (
    FixedBatches,
    LabelledExamples,
    TensorMemory,
    TrainingBatches,
    load_images,
)


def balanced(images) -> None:
    counts = images.counts
    counted = sum(counts["used"].values()) + sum(counts["ignored"].values())
    assert counts["found"] == counted + counts["skipped"]


def test_class_folders_are_cut_into_three_stratified_splits(color_folder):
    images = load_images(str(color_folder), image_size=8, seed=3)
    assert images.class_names == ("blue_not", "green")
    assert images.counts["used"] == {"train": 16, "val": 4, "test": 4}
    for split in (images.train, images.val, images.test):
        counts = collections.Counter(split.examples.labels.tolist())
        assert counts[0] == counts[1]
    ids = [id_ for s in images.examples().values() for id_ in s.ids]
    assert len(set(ids)) == 24
    assert "blue_not/0.jpg" in ids
    balanced(images)


def test_what_is_ignored_is_counted(color_folder):
    (color_folder / "notes.txt").write_text("x")
    (color_folder / "green" / "notes.txt").write_text("x")
    (color_folder / "green" / ".DS_Store").write_text("x")
    (color_folder / "__MACOSX").mkdir()
    os.mkfifo(color_folder / "green" / "pipe.jpg")
    write_picture(color_folder / "green" / "deep" / "n.png", 1, 1)
    images = load_images(str(color_folder), image_size=8, max_bad_fraction=0.1)
    assert images.counts["ignored"] == {
        "hidden, or left by a tool": 2,
        "a file beside the class folders": 1,
        "not a picture by its first bytes": 1,
    }
    assert images.counts["skipped"] == 1  # the pipe
    assert sum(images.counts["used"].values()) == 25
    balanced(images)


@pytest.fixture
def split_folder(tmp_path):
    root = tmp_path / "pets"
    for split, count in (("train", 6), ("validation", 2), ("test", 3)):
        for color, name in enumerate(("cat", "dog")):
            for number in range(count):
                write_picture(root / split / name / f"{number}.png", 9, color)
    return root


def test_split_folders_are_taken_as_they_are(split_folder):
    images = load_images(str(split_folder), image_size=8)
    assert images.counts["used"] == {"train": 12, "val": 4, "test": 6}
    assert images.test.examples.ids[0] == "test/cat/0.png"


def test_folders_that_live_elsewhere(split_folder):
    """The layout of the hand-written recipe: two folders side by side."""
    train = split_folder / "train"
    test = (split_folder / "test").rename(split_folder.parent / "test_dataset")
    images = load_images(str(train), test_dataset=str(test), image_size=8)
    assert images.counts["used"] == {"train": 10, "val": 2, "test": 6}
    assert images.test.examples.ids[0] == "test_dataset/cat/0.png"


def test_split_folders_in_any_case(split_folder):
    (split_folder / "train").rename(split_folder / "Train")
    (split_folder / "test").rename(split_folder / "TEST")
    images = load_images(str(split_folder), image_size=8)
    assert images.counts["used"] == {"train": 12, "val": 4, "test": 6}


def test_splits_and_one_folder_more_are_refused(split_folder):
    """They would become classes: train, test and the extra one."""
    write_picture(split_folder / "annotations" / "1.png", 1, 1)
    with pytest.raises(DataError, match="exclude=annotations; as classes"):
        load_images(str(split_folder), image_size=8)


def test_a_replaced_split_is_in_the_books(split_folder):
    other = split_folder.parent / "other"
    (split_folder / "validation").rename(other)
    (split_folder / "validation" / "cat").mkdir(parents=True)
    write_picture(split_folder / "validation" / "cat" / "1.png", 1, 1)
    images = load_images(
        str(split_folder), val_dataset=str(other), image_size=8
    )
    assert images.counts["ignored"] == {"in val/, replaced": 1}
    balanced(images)


def test_a_file_in_two_splits_is_refused(split_folder):
    with pytest.raises(DataError, match="in train and in val"):
        load_images(
            str(split_folder), val_dataset=str(split_folder / "train"),
            image_size=8,
        )  # fmt: skip


def test_a_class_named_train_is_no_split_where_that_is_said(tmp_path):
    for color, name in enumerate(("train", "bus")):
        for number in range(4):
            write_picture(tmp_path / name / f"{number}.png", number, color)
    with pytest.raises(DataError, match="if it is a class: label_from=first"):
        load_images(str(tmp_path), image_size=8)
    images = load_images(str(tmp_path), image_size=8, label_from="first")
    assert images.class_names == ("bus", "train")


@pytest.mark.parametrize("name", [b"a\xffb", b"a\nb", b"a\x1b[31mb"])
def test_a_class_name_that_labels_cannot_hold_is_refused(tmp_path, name):
    for number, folder in enumerate((name, b"plain")):
        folder = os.path.join(os.fsencode(tmp_path), folder)
        os.mkdir(folder)
        write_picture(tmp_path / "p.png", number, number)
        for i in range(4):
            os.link(tmp_path / "p.png", os.path.join(folder, b"%d.png" % i))
        (tmp_path / "p.png").unlink()
    with pytest.raises(DataError) as caught:
        load_images(str(tmp_path), image_size=8)
    assert "expected a name in UTF-8" in str(caught.value)
    assert str(caught.value).isprintable()


def spoil(root, how: str) -> None:
    if how == "no pictures":
        for file in root.rglob("*.png"):
            file.write_text("notes")
            file.rename(file.with_suffix(".txt"))
    elif how == "one class":
        for split in ("train", "validation", "test"):
            for file in (root / split / "dog").iterdir():
                file.unlink()
            (root / split / "dog").rmdir()
    elif how == "empty class":
        for file in (root / "train" / "dog").iterdir():
            file.unlink()
    elif how == "class missing":
        (root / "test" / "dog").rename(root / "test" / "wolf")
    elif how == "two validations":
        (root / "val").mkdir()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("no pictures", "no pictures found; expected class folders"),
        ("one class", "one class only, 'cat'"),
        ("empty class", "train/dog: a class folder without pictures"),
        ("class missing", "only here ['wolf'], missing here ['dog']"),
        ("two validations", "keep one folder for val"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(split_folder, how, expected):
    spoil(split_folder, how)
    with pytest.raises(DataError) as caught:
        load_images(str(split_folder), image_size=8)
    assert expected in "\n".join(caught.value.faults)


def write_csv(root, text: str, encoding: str = "utf-8"):
    for color, name in enumerate(("cat", "dog")):
        for number in range(8):
            write_picture(root / "p" / f"{name}{number}.png", number, color)
    file = root / "pets.csv"
    file.write_bytes(text.encode(encoding))
    return file


ROWS = "".join(
    f"p/{n}{i}.png,{n}\r\n" for n in ("cat", "dog") for i in range(8)
)


def test_a_csv_with_bom_and_crlf(tmp_path):
    file = write_csv(tmp_path, "path,label\r\n" + ROWS, "utf-8-sig")
    images = load_images(str(file), image_size=8)
    assert images.class_names == ("cat", "dog")
    assert sum(images.counts["used"].values()) == 16
    assert "p/cat0.png" in images.train.examples.ids


def test_a_csv_with_splits_and_a_folder_of_its_own(tmp_path):
    rows = "label,path,split,note\n"
    for name in ("cat", "dog"):
        for i in range(8):
            split = ("train", "train", "val", "test")[i % 4]
            rows += f"{name},{name}{i}.png,{split},x\n"
    file = write_csv(tmp_path, rows + "cat,cat0.png,train,again\n")
    images = load_images(str(file), image_size=8, data_dir=str(tmp_path / "p"))
    assert images.counts["used"] == {"train": 8, "val": 4, "test": 4}
    assert images.counts["ignored"] == {"the same row again": 1}
    balanced(images)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "pets.csv:1: expected the header"),
        ("path,label\n", "no rows"),
        ("name,label\n" + ROWS, "pets.csv:1: expected the header"),
        ("path,label\n" + ROWS + "p/cat0.png\n", "pets.csv:18: expected 2"),
        ("path,label\n" + ROWS + "a,b,c\n", "pets.csv:18: expected 2 fields"),
        ("path,label\n" + ROWS + ",cat\n", "pets.csv:18: the path is empty"),
        ("path,label\n" + ROWS + "p/cat1.png,\n", "the label is empty"),
        ("path,label\n" + ROWS + "p/none.png,cat\n", "18: p/none.png: no such"),
        ("path,label\n" + ROWS + "../x.png,cat\n", "leads out of"),
        ("path,label\n" + ROWS + "/etc/passwd,cat\n", "leads out of"),
        ("path,label\n" + ROWS + "gs://b/x.png,cat\n", "is no path"),
        ("path,label\n" + ROWS + "p/cat1.png,dog\n", "stands here as dog"),
        ("path,label\n" + ROWS.replace("dog\r", "cat\r"), "2 or more"),
        ("path,label,split\np/cat0.png,cat,odd\n", "expected train, val or"),
        ('path,label\n"p/cat0.png,cat\n', "comma-separated"),
    ],
)
def test_a_csv_that_cannot_be_used_names_the_row(tmp_path, text, expected):
    file = write_csv(tmp_path, text)
    with pytest.raises(DataError) as caught:
        load_images(str(file), image_size=8)
    assert expected in "\n".join(caught.value.faults)


def test_a_csv_in_another_encoding_is_named(tmp_path):
    file = write_csv(tmp_path, "path,label\np/cat0.png,Käfer\n", "latin-1")
    with pytest.raises(DataError, match="expected UTF-8"):
        load_images(str(file), image_size=8)


def test_digits_keep_their_grey_levels_and_the_rest_is_test():
    from sklearn.datasets import load_digits

    images = load_images(
        "digits",
        image_size=8,
        train_examples_per_class=10,
        val_examples_per_class=5,
    )
    assert images.counts["used"] == {"train": 100, "val": 50, "test": 1647}
    index = int(images.test.examples.ids[0].split("/")[-1])
    pixels, labels = next(iter(images.test.batches(1)))
    digits = load_digits()
    expected = np.rint(digits.images[index] * 255 / 16)
    np.testing.assert_array_equal(pixels[0, ..., 0], expected)
    assert labels[0] == digits.target[index]


def listing(counts: tuple[int, ...]) -> Listing:
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    ids = tuple(f"e{i}" for i in range(len(labels)))
    examples = Examples(ids, labels, files=ids)
    return Listing({"train": examples}, tuple("abcdefg"[: len(counts)]), {})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("counts", [(3, 3), (100, 7), (5, 1000, 20)])
def test_splits_are_disjoint_complete_and_hold_every_class(seed, counts):
    splits, left_out = cut_splits(listing(counts), Cut(seed=seed))
    ids = [id_ for examples in splits.values() for id_ in examples.ids]
    assert sorted(ids) == sorted(listing(counts).splits["train"].ids)
    assert left_out == {}
    for examples in splits.values():
        assert set(examples.labels.tolist()) == set(range(len(counts)))


def test_another_seed_cuts_otherwise_and_the_same_seed_the_same():
    cuts = [
        cut_splits(listing((50, 50)), Cut(seed=s))[0]["test"].ids
        for s in (0, 0, 1)
    ]
    assert cuts[0] == cuts[1] != cuts[2]


def test_classes_are_not_cut_alike():
    """Their files are often numbered alike, and then go together."""
    cut, _ = cut_splits(listing((50, 50)), Cut(seed=0))
    labels, ids = cut["test"].labels, np.array(cut["test"].ids)
    one, other = (
        {int(id_[1:]) % 50 for id_ in ids[labels == label]} for label in (0, 1)
    )
    assert one != other


def test_what_became_of_a_split_is_said(tmp_path):
    def split_of(*rows) -> dict[str, Examples]:
        ids, labels, contents = zip(*rows, strict=True)
        return {"train": Examples(ids, np.int32(labels), encoded=contents)}

    names = ("cat", "dog")
    before = split_of(("a", 0, b"1"), ("b", 1, b"2"), ("c", 0, b"3"))
    write_split(tmp_path / "split.csv", before, names)

    def changes(*rows, **more) -> str:
        return split_changes(
            tmp_path / "split.csv", split_of(*rows), names, **more
        )

    a, b, c = ("a", 0, b"1"), ("b", 1, b"2"), ("c", 0, b"3")
    assert changes(c, a, b) == ""
    assert changes(a, b) == "1 removed (c)"
    assert changes(a, b, but={"c"}) == ""
    assert changes(a, b, c, ("d", 1, b"4")) == "1 added (d)"
    assert changes(a, ("b", 0, b"2"), c) == "1 with another label (b)"
    assert changes(a, b, ("c", 0, b"!")) == "1 with other bytes (c)"
    assert changes(("a", 1, b"1"), ("b", 1, b"!"), c) == (
        "1 with another label (a), 1 with other bytes (b)"
    )


def test_few_shot_on_given_splits_leaves_the_rest_out(split_folder):
    images = load_images(
        str(split_folder), image_size=8, train_examples_per_class=2
    )
    assert images.counts["used"] == {"train": 4, "val": 4, "test": 6}
    assert sum(images.counts["ignored"].values()) == 8
    balanced(images)


@pytest.mark.parametrize(
    "cut",
    [
        Cut(),
        Cut(train_per_class=2),
        Cut(val_per_class=2),
        Cut(val_fraction=0.45, test_fraction=0.45),
    ],
)
def test_a_class_too_small_to_cut_is_named(cut):
    with pytest.raises(DataError, match="class 'b': 2 examples"):
        cut_splits(listing((50, 2)), cut)


def test_no_validation_when_none_is_wanted():
    splits, _ = cut_splits(listing((10, 10)), Cut(val_fraction=0))
    assert len(splits["val"]) == 0


def test_the_split_is_written_as_it_was_cut(color_folder, tmp_path):
    images = load_images(str(color_folder), image_size=8)
    write_split(tmp_path / "split.csv", images.examples(), images.class_names)
    with open(tmp_path / "split.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 24
    for row in rows:
        assert row["id"].split("/")[0] == row["label"]
        assert row["id"] in images.examples()[row["split"]].ids


def labels_of(dataset) -> list[int]:
    return [int(label) for _, batch in dataset for label in batch]


@pytest.fixture
def numbered(plain_decoder) -> LabelledExamples:
    """Ten examples whose label is their place."""
    from tl_keras.data.catalogues import png

    random = np.random.default_rng(0)
    encoded = tuple(
        png(random.integers(0, 255, (16, 16, 3), np.uint8)) for _ in range(10)
    )
    ids = tuple(str(i) for i in range(10))
    examples = Examples(ids, np.arange(10, dtype=np.int32), encoded=encoded)
    return LabelledExamples(examples, Decoding(16))


def test_batches_keep_the_order_and_the_partial_last(numbered):
    batches = numbered.batches(4)
    assert labels_of(batches) == list(range(10))
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    assert int(batches.cardinality()) == 3


def test_an_epoch_is_a_permutation_of_seed_and_number(numbered):
    def order(seed, epoch):
        return labels_of(numbered.shuffled_epoch(4, seed=seed, epoch=epoch))

    assert sorted(order(0, 0)) == list(range(10))
    assert order(0, 5) == order(0, 5)
    assert len({tuple(order(0, e)) for e in range(5)}) == 5
    assert order(0, 1) != order(1, 1)


def test_passes_of_a_shuffled_dataset_are_the_epochs(numbered):
    shuffled = numbered.shuffled(4, seed=7)
    for epoch in range(3):
        expected = labels_of(numbered.shuffled_epoch(4, seed=7, epoch=epoch))
        assert labels_of(shuffled) == expected


def test_a_variable_moves_the_epoch(numbered):
    epoch = tf.Variable(2, dtype=tf.int64)
    dataset = numbered.shuffled_epoch(4, seed=0, epoch=epoch)
    assert labels_of(dataset) == labels_of(
        numbered.shuffled_epoch(4, seed=0, epoch=2)
    )
    epoch.assign(3)
    assert labels_of(dataset) == labels_of(
        numbered.shuffled_epoch(4, seed=0, epoch=3)
    )


def views(images, augment, seed=0, epoch=0) -> dict[int, np.ndarray]:
    dataset = images.shuffled_epoch(4, seed=seed, epoch=epoch, augment=augment)
    return {
        int(label): picture.numpy()
        for pictures, labels in dataset
        for picture, label in zip(pictures, labels, strict=True)
    }


@pytest.mark.parametrize("augment", ["flip", "flip_crop", "flip_crop_color"])
def test_a_view_depends_on_seed_epoch_and_example_alone(numbered, augment):
    one, again = views(numbered, augment), views(numbered, augment)
    other = views(numbered, augment, epoch=1)
    for label in range(10):
        np.testing.assert_array_equal(one[label], again[label])
    assert any((one[i] != other[i]).any() for i in range(10))
    assert one[0].dtype == np.uint8
    assert one[0].shape == (16, 16, 3)


def test_flip_gives_the_picture_or_its_mirror(numbered):
    plain = views(numbered, "none")
    mirrored = 0
    for epoch in range(4):
        for label, picture in views(numbered, "flip", epoch=epoch).items():
            is_mirror = (picture == plain[label][:, ::-1]).all()
            assert is_mirror or (picture == plain[label]).all()
            mirrored += bool(is_mirror)
    assert 8 <= mirrored <= 32  # of 40


def test_evaluation_batches_are_never_augmented(numbered):
    plain = views(numbered, "none")
    for pictures, labels in numbered.batches(4):
        for picture, label in zip(pictures, labels, strict=True):
            np.testing.assert_array_equal(picture, plain[int(label)])


def test_unreadable_pictures_are_named(color_folder):
    file = color_folder / "green" / "3.png"
    file.write_bytes(file.read_bytes()[:100])
    (color_folder / "green" / "4.jpg").write_bytes(b"")
    images = load_images(str(color_folder), image_size=8, val_fraction=0.01)
    damaged = {
        split.examples.ids[index]: why
        for split in (images.train, images.val, images.test)
        for index, why in split.unreadable().items()
    }
    assert set(damaged) == {"green/3.png", "green/4.jpg"}
    assert all(why.startswith("does not decode (") for why in damaged.values())
    file.unlink()
    gone = [
        (split.examples.ids[index], why)
        for split in (images.train, images.val, images.test)
        for index, why in split.unreadable().items()
    ]
    reason = "cannot be read (No such file or directory)"
    assert ("green/3.png", reason) in gone


def test_pixels_that_fit_are_decoded_once(color_folder):
    images = load_images(str(color_folder), image_size=16).train
    memory = TensorMemory(1.0)
    train = TrainingBatches(images, 5, seed=3, augment="flip", memory=memory)
    fresh = TrainingBatches(images, 5, seed=3, augment="flip")
    for epoch in (0, 1):
        for (x, y), (a, b) in zip(train(epoch), fresh(epoch), strict=True):
            np.testing.assert_array_equal(x, a)
            np.testing.assert_array_equal(y, b)
    plain = FixedBatches(images, 5, memory)
    for (x, y), (a, b) in zip(plain(), FixedBatches(images, 5)(), strict=True):
        np.testing.assert_array_equal(x, a)
        np.testing.assert_array_equal(y, b)
    for file in images.examples.files:
        pathlib.Path(file).unlink()
    assert sum(len(x) for x, _ in train(2)) == len(images)
    assert sum(len(x) for x, _ in plain()) == len(images)


def test_pixels_that_do_not_fit_are_read_at_each_pass(color_folder):
    images = load_images(str(color_folder), image_size=16)
    one = images.train.decoded_bytes() / 1e9
    memory = TensorMemory(1.5 * one)
    assert memory.held(images.train).decoded is not None
    # What is left is too little for as many again, and enough for a few.
    other = dataclasses.replace(images.train)
    assert memory.held(other) is other
    assert memory.held(images.val).decoded is not None
