"""atomic.py: complete or absent."""

import os

import pytest

from tl_keras import atomic


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
    assert atomic.next_version(tmp_path) == 1
    for name in ("2", "10", "run", ".tmp-99", "7x"):
        (tmp_path / name).mkdir()
    assert atomic.next_version(tmp_path) == 11
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
