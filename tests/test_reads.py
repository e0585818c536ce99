"""How often a run reads and hashes a picture."""

import collections
import dataclasses
import hashlib
import os
import pathlib

import numpy as np
import pytest
import tiny
from conftest import write_picture

from tl_keras import TransferConfig, io_watchdog, run
from tl_keras.audit import reading
from tl_keras.data import Examples
from tl_keras.jobs import stages


@pytest.fixture
def config(color_folder, tiny_network, tmp_path) -> TransferConfig:
    """Two phases, whose frozen work is kept."""
    return tiny.config(
        color_folder, tiny_network, tmp_path / "out",
        feature_cache=str(tmp_path / "features"),
    )  # fmt: skip


class Counts:
    """How often each picture of a folder is read by Python, and hashed.

    TensorFlow reads what it decodes by itself, and is not counted.
    """

    def __init__(self, root, monkeypatch):
        self.root = pathlib.Path(root)
        files = sorted(path for path in self.root.rglob("*.*"))
        self._files = {os.fspath(file) for file in files}
        self._contents = {file.read_bytes(): file for file in files}
        self.read: collections.Counter = collections.Counter()
        self.hashed: collections.Counter = collections.Counter()
        self._watch(monkeypatch, io_watchdog, "read")
        self._watch(monkeypatch, reading, "_read")
        real = hashlib.sha256

        def sha256(content=b"", **more):
            if bytes(content) in self._contents:
                self.hashed[self._contents[bytes(content)]] += 1
            return real(content, **more)

        monkeypatch.setattr(hashlib, "sha256", sha256)

    def _watch(self, monkeypatch, module, name):
        real = getattr(module, name)

        def counted(path, *more):
            if os.fspath(path) in self._files:
                self.read[pathlib.Path(path)] += 1
            return real(path, *more)

        monkeypatch.setattr(module, name, counted)

    def of(self, counter) -> set[int]:
        """The different counts of all pictures."""
        return {counter[file] for file in self._contents.values()}


@pytest.mark.usefixtures("plain_decoder")
@pytest.mark.parametrize("check", ["full", "off"])
def test_each_picture_is_hashed_once_in_a_run(config, check, monkeypatch):
    """Though two phases, two splits and the split's file go by its hash."""
    config = dataclasses.replace(config, check=check)
    counts = Counts(config.dataset, monkeypatch)
    result = run(config, stages=tiny.QUICK)
    assert result.metrics["kept_phase"] in ("head", "fine_tune")
    assert counts.of(counts.hashed) == {1}
    # To be hashed, and decoded by the check; and five of the test split as
    # golden pictures of the export.
    once = 2 if check == "full" else 1
    assert counts.of(counts.read) == {once, once + 1}
    assert sum(n > once for n in counts.read.values()) <= 5


@pytest.mark.usefixtures("plain_decoder")
def test_a_run_that_goes_on_hashes_no_picture_again(config, monkeypatch):
    with pytest.raises(tiny.CutShortError):
        run(config, stages=tiny.QUICK.replacing(stages.evaluate, tiny.end))
    counts = Counts(config.dataset, monkeypatch)
    run(config, stages=tiny.QUICK)
    assert counts.of(counts.hashed) == {0}
    assert counts.of(counts.read) == {0, 1}  # golden pictures


def examples_in(folder) -> Examples:
    files = [str(folder / f"{number}.png") for number in range(3)]
    for number, file in enumerate(files):
        write_picture(pathlib.Path(file), number, 1)
    return Examples(("0", "1", "2"), np.zeros(3, np.int32), tuple(files))


def test_a_hash_holds_while_its_file_does(tmp_path, monkeypatch):
    examples = examples_in(tmp_path)
    expected = examples.content_ids()
    known = examples.hashed()
    counts = Counts(tmp_path, monkeypatch)
    assert known.content_ids() == known.take([0, 1, 2]).content_ids()
    assert known.content_ids() == expected
    assert known.take([2]).content_ids() == expected[2:]
    assert counts.of(counts.read) == {0}
    write_picture(tmp_path / "1.png", 77, 1)
    changed = known.content_ids()
    assert changed[1] != expected[1]
    assert changed[::2] == expected[::2]
    (tmp_path / "2.png").unlink()
    with pytest.raises(FileNotFoundError):
        known.content_ids()


def test_what_is_in_memory_is_hashed_once(monkeypatch):
    examples = Examples(("a",), np.zeros(1, np.int32), None, (b"bytes",))
    (expected,) = examples.content_ids()
    known = examples.hashed()
    monkeypatch.setattr(hashlib, "sha256", None)
    assert known.content_ids() == [expected]
