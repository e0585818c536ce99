"""atomic.py: complete or absent."""

import errno
import os
import shutil

import pytest

from tl_keras import atomic, versions


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    file = tmp_path / "sub" / "a.json"
    with atomic.replacing(file) as temporary:
        temporary.write_text("one")
        assert not file.exists()
    with pytest.raises(KeyError), atomic.replacing(file) as temporary:
        temporary.write_text("half of tw")
        raise KeyError
    assert file.read_text() == "one"
    assert os.listdir(file.parent) == ["a.json"]


def test_the_temporary_name_keeps_the_suffixes(tmp_path):
    with atomic.replacing(tmp_path / "m.weights.h5") as temporary:
        assert temporary.name.endswith("m.weights.h5")
        temporary.write_text("")


def test_a_folder_is_published_under_the_next_number(tmp_path):
    assert versions.next_version(tmp_path) == 1
    for name in (
        "2",
        "10",
        "run",
        ".tmp-99",
        "7x",
        "\N{ARABIC-INDIC DIGIT NINE}9",
    ):
        (tmp_path / name).mkdir()
    assert versions.next_version(tmp_path) == 11
    with atomic.building_folder(tmp_path) as folder:
        (folder / "file").write_text("whole")
        assert not folder.name.isdecimal()
        atomic.publish_folder(folder, tmp_path / "11")
    assert (tmp_path / "11" / "file").read_text() == "whole"
    assert not folder.exists()


def test_nothing_is_published_over_something(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "old").write_text("old")
    with atomic.building_folder(tmp_path) as folder:
        (folder / "new").write_text("new")
        with pytest.raises(FileExistsError):
            atomic.publish_folder(folder, tmp_path / "1")
    assert os.listdir(tmp_path) == ["1"]
    assert os.listdir(tmp_path / "1") == ["old"]


def test_a_failed_build_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), atomic.building_folder(tmp_path) as folder:
        (folder / "half").write_text("half")
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_content_is_synced_before_it_is_renamed(tmp_path, monkeypatch):
    calls = []
    real = {name: getattr(os, name) for name in ("fsync", "replace")}
    monkeypatch.setattr(
        os, "fsync", lambda fd: calls.append("fsync") or real["fsync"](fd)
    )
    monkeypatch.setattr(
        os,
        "replace",
        lambda a, b: calls.append("replace") or real["replace"](a, b),
    )
    with atomic.replacing(tmp_path / "a") as temporary:
        temporary.write_text("x")
    assert calls == ["fsync", "replace", "fsync"]


def copying(old, new):
    """As a store of objects renames: file by file, to new objects."""
    shutil.copytree(old, new)
    shutil.rmtree(old)


def leaving(old, new):
    """It stops half-way."""
    shutil.copytree(old, new)


def refusing(old, new):
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


@pytest.mark.parametrize(
    ("rename", "fault"),
    [
        (os.rename, ""),
        (copying, "it copies what is renamed"),
        (leaving, "it copies what is renamed"),
        (refusing, "it does not rename (Operation not supported)"),
    ],
)
def test_f28_a_store_that_does_not_rename_at_once_is_found_out(
    tmp_path, monkeypatch, rename, fault
):
    monkeypatch.setattr(os, "rename", rename)
    assert atomic.rename_fault(tmp_path) == fault


def test_a_full_disk_says_nothing_of_renaming(tmp_path, monkeypatch):
    def full(*paths):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        atomic.rename_fault(tmp_path)


@pytest.mark.parametrize(
    ("mounted", "fault"),
    [
        ("fuse.gcsfuse bucket", "fuse.gcsfuse does not rename at once"),
        ("fuse mountpoint-s3", "mountpoint-s3 does not rename at once"),
        ("fuse.sshfs me@host:/", ""),
        ("nfs4 host:/export", ""),
    ],
)
def test_f28_a_mounted_store_of_objects_is_known_by_its_name(
    tmp_path, monkeypatch, mounted, fault
):
    place = tmp_path / "a b"
    place.mkdir()
    shown = str(place).replace(" ", "\\040")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
        f"99 22 0:50 / {shown} rw,nosuid shared:1 - {mounted} rw\n"
    )
    monkeypatch.setattr(atomic, "MOUNTS", mounts)
    assert atomic.rename_fault(place) == fault
