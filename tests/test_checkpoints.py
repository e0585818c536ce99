"""checkpoints.py: complete or absent, and what is read is what was written."""

import errno
import os
import random
import shutil

import ml_dtypes
import numpy as np
import pytest
from crash_points import OPERATIONS, failing
from power_loss import recording

from tl_keras import atomic
from tl_keras.checkpoints import Checkpoints
from tl_keras.console import on_console
from tl_keras.errors import MachineError

ARRAYS = {
    "kernel": np.arange(60_000, dtype=np.float32).reshape(300, 200),
    "seed": np.array([7, 2**32 - 1], np.uint32),
    "scalar": np.array(3, np.int64),
    "half": np.array([1.5, -2], ml_dtypes.bfloat16),
    "none": np.zeros((0, 4), np.float32),
    "yes": np.array([True, False]),
}


def same(one, two) -> bool:
    return one.keys() == two.keys() and all(
        one[k].dtype == two[k].dtype
        and one[k].shape == two[k].shape
        and one[k].tobytes() == two[k].tobytes()
        for k in one
    )


def test_what_is_read_is_what_was_written(tmp_path):
    kept = Checkpoints(tmp_path / "c")
    assert kept.newest() is None
    state = {"best": float("inf"), "name": "é", "rows": [[1, {"a": 0.1}]]}
    kept.save(ARRAYS, state)
    found = Checkpoints(tmp_path / "c").newest()
    assert found.number == 1
    assert found.state == state
    assert same(found.arrays, ARRAYS)
    found.arrays["kernel"][:] = 0  # It is the reader's own.


def test_the_last_two_stay_and_none_is_written_over(tmp_path):
    kept = Checkpoints(tmp_path)
    for number in range(1, 5):
        kept.save({}, {"n": number})
        assert kept.newest().state["n"] == number
        names = sorted(path.name for path in tmp_path.iterdir())
        last = range(max(1, number - 1), number + 1)
        assert names == [f"{n:08d}" for n in last]


def test_f16_the_clock_says_nothing_about_which_is_newest(tmp_path):
    kept = Checkpoints(tmp_path)
    for number in (1, 2):
        kept.save({}, {"n": number})
    for path in tmp_path.rglob("*"):
        os.utime(path, (0, 0))
    os.utime(tmp_path / "00000001")
    assert kept.newest().state["n"] == 2


def spoil(folder, draw: random.Random) -> str:
    """Damages one file of a checkpoint; says how."""
    name = draw.choice(["arrays.bin", "state.json", atomic.MANIFEST])
    how = draw.choice(["cut", "byte", "zeroed", "missing", "longer", "folder"])
    file = folder / name
    content = bytearray(file.read_bytes())
    place = draw.randrange(len(content))
    if how == "cut":
        content = content[:place]
    elif how == "byte":
        content[place] ^= 1 << draw.randrange(8)
    elif how == "zeroed":
        block = content[place : place + 65536]
        content[place : place + 65536] = bytes(len(block))
        if not any(block):
            content[place] = 1
    elif how == "longer":
        content += b"x"
    if how == "folder":
        shutil.rmtree(folder)
        folder.mkdir()
    elif how == "missing":
        file.unlink()
    else:
        file.write_bytes(content)
    return f"{name} {how}"


def test_f12_all_of_200_damages_are_noticed(tmp_path, capsys):
    draw = random.Random(0)
    for number in range(200):
        kept = Checkpoints(tmp_path / str(number))
        for n in (1, 2):
            kept.save(ARRAYS, {"n": n})
        how = spoil(kept.folder / "00000002", draw)
        with on_console():
            found = kept.newest()
        assert found.state["n"] == 1, how
        assert same(found.arrays, ARRAYS)
        told = capsys.readouterr().err
        assert "00000002: " in told, how
        assert "going on from 00000001" in told
        # The next save does not push the good one out.
        kept.save(ARRAYS, {"n": 3})
        assert kept.newest().state["n"] == 3
        assert (kept.folder / "00000001").is_dir()
        shutil.rmtree(kept.folder)


def test_f13_all_damaged_is_said_and_nothing_begins_anew(tmp_path):
    kept = Checkpoints(tmp_path)
    for n in (1, 2):
        kept.save(ARRAYS, {"n": n})
        (tmp_path / f"{n:08d}" / "arrays.bin").write_bytes(b"")
    for _ in range(2):  # Asking does not mend it.
        with pytest.raises(MachineError, match="no checkpoint is") as caught:
            kept.newest()
        assert len(caught.value.faults) == 3
        assert caught.value.exit_code == 4


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_f07_f09_a_disk_that_fails_at_any_step_costs_nothing(
    tmp_path, code, capsys
):
    """At each operation of a save in turn; the saves before are untouched."""
    at = 0
    while True:
        folder = tmp_path / f"{code}-{at}"
        kept = Checkpoints(folder)
        for n in (1, 2):
            kept.save(ARRAYS, {"n": n})
        with failing(at, code) as count, on_console():
            kept.save_or_tell(ARRAYS, {"n": 3})
        if count.done < at:
            break
        told = capsys.readouterr().err
        found = kept.newest()
        # A rename that is on the disk though its fsync failed is whole too.
        assert found.state["n"] in (2, 3)
        if found.state["n"] == 2:
            assert os.strerror(code) in told
        with failing(at, code):
            raised = False
            try:
                kept.save_or_tell(ARRAYS, {"n": 4}, required=True)
            except MachineError:
                raised = True
        # What fails at removing an older one costs nothing.
        assert raised or kept.newest().state["n"] == 4
        kept.save(ARRAYS, {"n": 5})
        assert kept.newest().state["n"] == 5
        at += 1
    assert at >= 15
    assert set(OPERATIONS) >= {"fsync", "rename", "write"}


@pytest.mark.parametrize("names", [False, True])
def test_f29_a_power_cut_at_any_moment_leaves_a_good_one(tmp_path, names):
    folder = tmp_path / "saves"
    kept = Checkpoints(folder)
    for n in (1, 2):
        kept.save(ARRAYS, {"n": n})
    with recording(folder) as disk:
        kept.save(ARRAYS, {"n": 3})
    assert len(disk.events) >= 8
    found = []
    for number in range(len(disk.events) + 1):
        place = tmp_path / f"after_{number}"
        disk.leave(number, place, names=names)
        saved = Checkpoints(place).newest()
        found.append(saved.state["n"])
        assert same(saved.arrays, ARRAYS)
        shutil.rmtree(place)
    assert found == sorted(found)
    assert set(found) == {2, 3}


def test_the_bad_disk_of_f29_does_forget(tmp_path):
    """A rename without the fsync before it is lost or empty there."""
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "a").write_text("old")
    with recording(folder) as disk:
        (folder / ".new").write_text("new")
        os.replace(folder / ".new", folder / "other")
    assert disk.events == [
        ("moved", str(folder / ".new"), str(folder / "other"))
    ]
    with recording(folder) as disk, atomic.replacing(folder / "a") as path:
        path.write_text("new")
    disk.leave(len(disk.events) - 1, tmp_path / "cut", names=False)
    assert (tmp_path / "cut" / "a").read_text() == "old"
    disk.leave(len(disk.events), tmp_path / "whole", names=False)
    assert (tmp_path / "whole" / "a").read_text() == "new"
