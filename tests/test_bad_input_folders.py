"""Bad folders and names, B25 to B47."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import unicodedata

import numpy as np
import pytest
from spoiling import as_csv, check, good_folder, jpeg, picture

from tl_keras.audit import Rules, check_listing
from tl_keras.audit.reading import read_regular
from tl_keras.data import list_dataset
from tl_keras.errors import DataError
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.sources import load_images


@pytest.fixture
def pets(tmp_path):
    return good_folder(tmp_path / "pets", 6)


def test_b25_what_macs_leave_is_ignored_and_counted(pets, capsys):
    (pets / "cat" / "._1.jpg").write_bytes(b"\0\5\x16\7Mac OS X")
    (pets / "__MACOSX").mkdir()
    (pets / "__MACOSX" / "1.jpg").write_bytes(jpeg(1))
    ran = check(capsys, pets)
    assert (ran.code, ran.counts) == (0, (14, 12, 0, 2))
    assert "ignored 2: hidden, or left by a tool" in ran.out


def test_b26_files_of_tools_are_ignored(pets, capsys):
    for name in (".DS_Store", "Thumbs.db", "cat/.DS_Store", "cat/Thumbs.db"):
        (pets / name).write_bytes(b"x")
    (pets / ".git").mkdir()
    ran = check(capsys, pets)
    assert (ran.code, ran.counts) == (0, (17, 12, 0, 5))


def test_b27_notebook_copies_are_ignored(pets, capsys):
    copies = pets / "cat" / ".ipynb_checkpoints"
    copies.mkdir()
    shutil.copy(pets / "cat" / "1.jpg", copies / "1-checkpoint.jpg")
    (pets / ".ipynb_checkpoints").mkdir()
    assert check(capsys, pets).counts == (14, 12, 0, 2)


def test_b28_an_empty_class_folder(pets, capsys):
    (pets / "wolf").mkdir()
    ran = check(capsys, pets)
    assert ran.code == 3
    assert f"{pets}/wolf: a class folder without pictures" in ran.errors[0]
    assert "--allow_empty_class" in ran.errors[0]
    passed = check(capsys, pets, "--allow_empty_class")
    assert passed.code == 0
    assert "wolf" not in passed.out


def test_b28_a_class_whose_pictures_are_all_bad(pets, capsys):
    (pets / "wolf").mkdir()
    (pets / "wolf" / "1.jpg").write_bytes(b"")
    ran = check(capsys, pets, "--max_bad_fraction=0.5")
    assert ran.code == 3
    assert ran.errors[0].startswith("class 'wolf': none of its pictures")


def test_b29_one_class_only(pets, capsys):
    shutil.rmtree(pets / "dog")
    ran = check(capsys, pets)
    assert ran.code == 3
    assert "one class only, 'cat'; expected 2 or more" in ran.errors[0]


def test_b30_no_pictures_or_pictures_in_the_root(tmp_path, capsys):
    ran = check(capsys, tmp_path)
    assert ran.code == 3
    assert "no pictures found; expected class folders" in ran.errors[0]
    (tmp_path / "1.jpg").write_bytes(jpeg(1))
    (tmp_path / "2.jpg").write_bytes(jpeg(2))
    ran = check(capsys, tmp_path)
    assert "found 0 folders and 2 files beside them" in ran.errors[0]


@pytest.mark.parametrize(
    ("how", "classes"),
    [
        ("first", ("africa", "asia")),
        ("leaf", ("cat", "dog")),
        ("path", ("africa/cat", "africa/dog", "asia/cat", "asia/dog")),
    ],
)
def test_b31_nested_folders(tmp_path, capsys, how, classes):
    for number, place in enumerate(("africa", "asia")):
        good_folder(tmp_path / "n" / place, 6)
        files = sorted((tmp_path / "n" / place).rglob("*.jpg"))
        for seed, file in enumerate(files, 100 * number):
            file.write_bytes(jpeg(seed))
    listing = list_dataset(str(tmp_path / "n"), label_from=how)
    assert listing.class_names == classes
    assert len(listing.splits["train"]) == 24
    assert listing.notes == {"in a sub-folder of its class folder": 24}
    ran = check(capsys, tmp_path / "n", f"--label_from={how}")
    assert "of the used 24: in a sub-folder" in ran.out


def test_b32_a_loop_of_links_gives_each_file_once(pets, capsys):
    (pets / "cat" / "round").symlink_to(pets)
    (pets / "cat" / "again").symlink_to(pets / "cat")
    (pets / "cat" / "twin.jpg").symlink_to(pets / "cat" / "1.jpg")
    os.link(pets / "cat" / "2.jpg", pets / "cat" / "hard.jpg")
    ran = check(capsys, pets, "--follow_links")
    assert ran.code == 0
    assert ran.counts == (16, 12, 0, 4)
    assert "ignored 2: a link to a folder that is taken already" in ran.out
    assert "ignored 2: a link to a file that is taken already" in ran.out
    assert "(see --follow_links)" in check(capsys, pets).out


def test_b33_a_class_that_is_a_link_out_of_the_root(pets, tmp_path, capsys):
    elsewhere = tmp_path / "elsewhere"
    (pets / "dog").rename(elsewhere)
    (pets / "dog").symlink_to(elsewhere)
    ran = check(capsys, pets)
    assert ran.code == 3
    assert f"{pets}/dog: a link to a folder" in ran.errors[0]
    assert "--follow_links" in ran.errors[0]
    assert check(capsys, pets, "--follow_links").counts == (12, 12, 0, 0)


def test_b34_a_link_to_nothing(pets, capsys):
    (pets / "cat" / "gone.jpg").symlink_to("nowhere.jpg")
    (pets / "cat" / "self.jpg").symlink_to("self.jpg")
    ran = check(capsys, pets, "--max_bad_fraction=0.2")
    assert (ran.code, ran.counts) == (0, (14, 12, 2, 0))
    assert ran.skips[0].startswith("cat/gone.jpg: a link that leads nowhere")


def make_special_files(folder: pathlib.Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as sock:
        here = os.getcwd()
        os.chdir(folder)  # a socket's path must be short
        sock.bind("socket.jpg")
        os.chdir(here)
    (folder / "zero.jpg").symlink_to("/dev/zero")


@pytest.mark.parametrize("mode", ["full", "fast"])
def test_b35_pipes_sockets_and_devices_hold_nothing_up(pets, capsys, mode):
    make_special_files(pets / "cat")
    flags = ("--max_bad_fraction=0.3", f"--check={mode}")
    ran = check(capsys, pets, *flags)
    assert (ran.code, ran.counts) == (0, (15, 12, 3, 0))
    assert all("not a regular file but a" in s for s in ran.skips)
    listed = check(capsys, as_csv(pets), *flags)
    assert listed.code == 3
    assert "leads through a link out of" in listed.errors[0]
    (pets / "cat" / "zero.jpg").unlink()
    listed = check(capsys, as_csv(pets), *flags)
    assert (listed.code, listed.counts) == (0, (14, 12, 2, 0))


def test_b35_also_where_a_file_becomes_a_pipe_after_it_was_listed(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    content, problem = read_regular(str(tmp_path / "pipe"), 100)
    assert content == b""
    assert problem.startswith("not a regular file")
    assert "not a regular file" in read_regular("/dev/zero", 100)[1]


def test_b35_as_a_process_of_its_own(pets):
    make_special_files(pets / "cat")
    # What TensorFlow would load beside itself, a check does without.
    code = (
        "import sys\n"
        "from tl_keras.check import main\n"
        "code = main(sys.argv[1:])\n"
        "heavy = {'keras', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))\n"
        "import keras\n"
        "sys.exit(code)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, f"--dataset={pets}"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "heavy: []" in ran.stdout, ran.stderr
    assert ran.returncode == 3
    assert len(ran.stderr.splitlines()) == 1  # none of TensorFlow's chatter
    assert "skip: cat/pipe.jpg: not a regular file but a pipe" in ran.stdout


def test_b36_a_folder_named_like_a_picture(pets, capsys):
    (pets / "cat" / "x.jpg").mkdir()
    ran = check(capsys, pets)
    assert (ran.code, ran.counts) == (0, (13, 12, 0, 1))
    assert "ignored 1: a folder named like a picture" in ran.out


@contextlib.contextmanager
def as_nobody():
    """Without root's rights, which see everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_b37_files_and_folders_without_the_right_to_read(capsys):
    check(capsys, "digits")  # what is imported late is imported now
    root = pathlib.Path(tempfile.mkdtemp(prefix="tl_keras_rights_"))
    root.chmod(0o755)
    try:
        good_folder(root / "pets", 6)
        (root / "pets" / "cat" / "1.jpg").chmod(0)
        with as_nobody():
            ran = check(capsys, root / "pets", "--max_bad_fraction=0.1")
        assert (ran.code, ran.counts) == (0, (12, 11, 1, 0))
        assert ran.skips[0].startswith("cat/1.jpg: cannot be read (Permission")
        (root / "pets" / "dog").chmod(0)
        with as_nobody():
            ran = check(capsys, root / "pets")
        assert ran.code == 3
        assert "pets/dog: the folder cannot be read (Permis" in ran.errors[0]
    finally:
        shutil.rmtree(root)


def test_b38_a_name_that_is_not_utf8(pets, tmp_path, capsys):
    folder = os.fsencode(pets / "cat")
    for name, content in ((b"\xff\xfe.jpg", jpeg(77)), (b"bad\xff.jpg", b"")):
        with open(os.path.join(folder, name), "wb") as stream:
            stream.write(content)
    out = tmp_path / "out"
    ran = check(capsys, pets, "--max_bad_fraction=0.1", f"--output_dir={out}")
    assert (ran.code, ran.counts) == (0, (14, 13, 1, 0))
    assert ran.skips[0].startswith("cat/bad\\xff.jpg: empty file")
    page = (out / "data_report.html").read_text(encoding="utf-8")
    assert "cat/bad\\xff.jpg" in page


NAMES = [
    "with space.jpg", "new\nline.jpg", "tab\t.jpg", "100%.jpg", "quote'\".jpg",
    "#.jpg", "what?.jpg", "[abc].jpg", "*.jpg", "-rf.jpg", "$(touch x).jpg",
    "a" * 240 + ".jpg", unicodedata.normalize("NFC", "é.jpg"),
    unicodedata.normalize("NFD", "é.jpg"), "\x1b[31mred.jpg", "..jpg.jpg",
    "\u202egpj.exe.jpg", "<script>alert(1)</script>.jpg".replace("/", "_"),
]  # fmt: skip


def test_b39_names_of_any_kind(pets, tmp_path, capsys):
    for number, name in enumerate(n for n in NAMES if n[0] != "."):
        (pets / "cat" / name).write_bytes(jpeg(500 + number))
    count = 12 + len(NAMES) - 1
    (pets / "cat" / "\x1b[2Jbad\n.jpg").write_bytes(b"")
    out = tmp_path / "out"
    ran = check(capsys, pets, "--max_bad_fraction=0.1", f"--output_dir={out}")
    assert (ran.code, ran.counts) == (0, (count + 1, count, 1, 0))
    assert ran.skips[0].startswith("cat/\\x1b[2Jbad\\x0a.jpg: empty file")
    page = (out / "data_report.html").read_text(encoding="utf-8")
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_b40_labels_are_names_and_escaped(pets, tmp_path, capsys):
    (pets / "cat").rename(pets / "<b onload=x>")
    (pets / "dog").rename(pets / "=1+1")
    good_folder(tmp_path / "more", 6)
    for number, name in enumerate(("10", "2", "ünïcode")):
        shutil.copytree(tmp_path / "more" / "cat", pets / name)
        for i, file in enumerate((pets / name).iterdir()):
            file.write_bytes(jpeg(300 + 50 * number + i))
    out = tmp_path / "out"
    ran = check(capsys, pets, f"--output_dir={out}")
    assert ran.code == 0
    page = (out / "data_report.html").read_text(encoding="utf-8")
    assert "&lt;b onload=x&gt;" in page
    assert "<b onload" not in page


@pytest.mark.parametrize(
    "name",
    ["Cat", "CAT", "cat\x07"],
)
def test_b40_classes_that_nobody_can_tell_apart(pets, capsys, name):
    (pets / "dog").rename(pets / name)
    ran = check(capsys, pets)
    assert ran.code == 3
    assert ran.errors[0].startswith("class '")


def test_b40_accents_in_two_encodings(pets, capsys):
    (pets / "cat").rename(pets / unicodedata.normalize("NFC", "é"))
    (pets / "dog").rename(pets / unicodedata.normalize("NFD", "é"))
    ran = check(capsys, pets)
    assert ran.code == 3
    assert "differs from 'e\\u0301' in case or in how acc" in ran.errors[0]


@pytest.fixture
def in_splits(tmp_path):
    """train/, val/ and test/, all pictures different."""
    root = tmp_path / "splits"
    for number, split in enumerate(("train", "val", "test")):
        good_folder(root / split, 6)
        for i, file in enumerate(sorted((root / split).rglob("*.jpg"))):
            file.write_bytes(jpeg(100 * number + i))
    return root


def test_b41_the_same_bytes_in_two_splits(in_splits, capsys):
    assert check(capsys, in_splits).code == 0
    shutil.copy(in_splits / "train/cat/1.jpg", in_splits / "test/cat/copy.jpg")
    ran = check(capsys, in_splits)
    assert ran.code == 3
    assert ran.errors == [
        "train/cat/1.jpg and test/cat/copy.jpg: the same bytes in train and "
        "test - take one away, or give --allow_leakage"
    ]
    passed = check(capsys, in_splits, "--allow_leakage")
    assert (passed.code, passed.counts) == (0, (37, 37, 0, 0))


def test_b41_near_duplicates_across_splits_are_warned_about(in_splits, capsys):
    file = in_splits / "test" / "cat" / "small.jpg"
    picture(1).transpose(0).resize((50, 40)).save(file)  # mirrored, smaller
    ran = check(capsys, in_splits)
    assert ran.code == 0
    assert ran.warnings == [
        "1 pair of pictures looks alike in two splits - the test score may be "
        "too good: train/cat/1.jpg and test/cat/small.jpg"
    ]
    assert check(capsys, in_splits, "--nonear_duplicates").warnings == []


def test_b41_copies_of_a_class_cannot_be_cut_apart(pets, capsys):
    shutil.copy(pets / "cat" / "1.jpg", pets / "cat" / "copy.jpg")
    ran = check(capsys, pets)
    assert (ran.code, ran.counts) == (0, (13, 12, 0, 1))
    assert "ignored 1: the same bytes as another picture" in ran.out


def test_b42_the_same_bytes_under_two_labels(pets, capsys):
    for name in ("1.jpg", "2.jpg"):
        shutil.copy(pets / "cat" / name, pets / "dog" / f"cat_{name}")
    for dataset in (pets, as_csv(pets)):
        ran = check(capsys, dataset)
        assert ran.code == 3
        assert len(ran.errors) == 2
        assert "cat/1.jpg and " in ran.errors[0]
        assert "the same bytes under 'cat' and 'dog'" in ran.errors[0]


@pytest.mark.parametrize("seed", range(5))
def test_b43_no_bytes_are_in_two_splits_of_a_cut(pets, seed):
    """The cut is one list, and copies cannot fall on both sides of it."""
    for i in range(4):
        shutil.copy(pets / "cat" / f"{i}.jpg", pets / "cat" / f"copy{i}.jpg")
    from tl_keras.data import Cut
    from tl_keras.sources import split_examples

    report = check_listing(list_dataset(str(pets)), str(pets), Rules())
    images = split_examples(report.listing, Cut(seed=seed), Decoding(8))
    hashes = [set(split.content_ids()) for split in
              (images.train, images.val, images.test)]  # fmt: skip
    assert len(set.union(*hashes)) == sum(map(len, hashes)) == 12


def test_b44_other_classes_in_another_split(in_splits, capsys):
    (in_splits / "val" / "cat").rename(in_splits / "val" / "ant")
    shutil.rmtree(in_splits / "test" / "dog")
    ran = check(capsys, in_splits)
    assert ran.code == 3
    told = "\n".join(ran.errors)
    assert "only here ['ant'], missing here ['cat']" in told
    assert "only here none, missing here ['dog']" in told


def test_b45_a_class_too_small_to_cut(pets, capsys):
    (pets / "wolf").mkdir()
    (pets / "wolf" / "1.jpg").write_bytes(jpeg(900))
    ran = check(capsys, pets)
    assert ran.code == 3
    assert ran.errors[0].startswith("class 'wolf': 1 examples to cut")


def test_b45_imbalance_is_warned_about(tmp_path, capsys):
    good_folder(tmp_path / "pets", 3)
    for i in range(170):
        (tmp_path / "pets" / "cat" / f"more{i}.jpg").write_bytes(jpeg(100 + i))
    ran = check(capsys, tmp_path / "pets")
    assert ran.code == 0
    assert any("look at macro-F1" in line for line in ran.warnings)


def test_b45_a_split_with_one_picture_of_a_class(in_splits, capsys):
    for i in range(5):
        (in_splits / "test" / "cat" / f"{i}.jpg").unlink()
    ran = check(capsys, in_splits)
    assert ran.code == 0
    assert ran.warnings == [
        "class 'cat' has one picture in test - its score there says nothing"
    ]


def test_b46_listing_opens_no_file(tmp_path, monkeypatch):
    """100 classes; what is not opened costs a look into its folder only."""
    for number in range(100):
        folder = tmp_path / f"class{number:02}"
        folder.mkdir()
        for i in range(20):
            (folder / f"{i}.jpg").write_bytes(b"%d %d" % (number, i))

    def no_open(*_):
        raise AssertionError("a picture was opened")

    monkeypatch.setattr("builtins.open", no_open)
    listing = list_dataset(str(tmp_path))
    assert len(listing.splits["train"]) == 2000
    assert len(listing.class_names) == 100
    assert listing.found() == 2000


def test_b47_ids_files_and_labels_stay_together(pets):
    """After skips, copies and the cut, each row is its own file."""
    (pets / "cat" / "0.jpg").write_bytes(b"")
    shutil.copy(pets / "dog" / "1.jpg", pets / "dog" / "0copy.jpg")
    from tl_keras.data import Cut
    from tl_keras.sources import split_examples

    rules = Rules(max_bad_fraction=0.2)
    report = check_listing(list_dataset(str(pets)), str(pets), rules)
    images = split_examples(report.listing, Cut(seed=3), Decoding(8))
    total = 0
    for split in (images.train, images.val, images.test):
        examples = split.examples
        for id_, file, label in zip(
            examples.ids, examples.files, examples.labels, strict=True
        ):
            assert file == str(pets / id_)
            assert id_.split("/")[0] == images.class_names[label]
        order = [int(x) for _, b in split.batches(4) for x in b]
        np.testing.assert_array_equal(order, examples.labels)
        total += len(examples)
    assert total == 11
    assert images.counts["skipped"] == 1


def test_load_images_alone_refuses_what_cannot_be_opened(pets):
    """The importer's path, without the check: it names the file too."""
    os.mkfifo(pets / "cat" / "pipe.jpg")
    with pytest.raises(DataError) as caught:
        load_images(str(pets), image_size=8)
    assert "cat/pipe.jpg: not a regular file" in caught.value.faults[0]
    images = load_images(str(pets), image_size=8, max_bad_fraction=0.1)
    assert images.counts["skipped"] == 1
