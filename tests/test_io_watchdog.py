"""io_watchdog.py: reads that fail for a moment, and reads that never end."""

import errno
import os
import pathlib
import subprocess
import sys

import pytest
from conftest import CHECKOUT

from tl_keras import io_watchdog
from tl_keras.audit.reading import read_regular
from tl_keras.data import Examples

# A thread of its own reads; the watch's times are made short.
SCRIPT = """
import os, sys, threading, time
sys.path.insert(0, {checkout!r})
from tl_keras import io_watchdog, signals
io_watchdog.LOOK_EVERY, io_watchdog.QUIET = 0.05, 0.3
io_watchdog.TELL_EVERY, io_watchdog.SWEEP_EVERY = 0.5, 0.5
good, hangs = sys.argv[1:3]
with signals.watching(True), io_watchdog.watching({timeout}):
{body}
print("done", flush=True)
"""
# As TensorFlow does: nobody says which file it reads.
IN_TENSORFLOW = """
    with io_watchdog.expecting([good, "/no/such", hangs]):
        open(hangs).read()
"""
IN_PYTHON = """
    io_watchdog.read(hangs)
"""
COMPUTING = """
    with io_watchdog.expecting([good, "/no/such"]):
        time.sleep(2)
"""
STEADY = """
    with io_watchdog.expecting([good, hangs]):
        for _ in range(20):
            time.sleep(0.1)
            io_watchdog.answered()
"""


def watched(tmp_path, body, timeout=600.0, answers=False, name="hangs.jpg"):
    """Exit code, output and complaints; a pipe without a writer hangs."""
    good, hangs = tmp_path / "good.jpg", tmp_path / name
    good.write_bytes(b"good")
    os.mkfifo(hangs)
    code = SCRIPT.format(checkout=str(CHECKOUT), timeout=timeout, body=body)
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(good), str(hangs)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    # Once it is told that the file is waited for.
    told = child.stderr.readline() if answers else ""
    if answers:
        hangs.write_text("there")
    out, err = child.communicate()
    return child.returncode, out, (told + err).splitlines()


@pytest.mark.parametrize("body", [IN_TENSORFLOW, IN_PYTHON])
def test_f24_a_file_that_never_answers_is_named_and_ends_it(tmp_path, body):
    code, out, lines = watched(tmp_path, body, timeout=1.5)
    assert (code, out) == (4, "")
    waiting = f"waiting for {tmp_path / 'hangs.jpg'}: no answer for "
    assert lines[0].startswith(waiting)
    assert lines[-1].startswith(
        f"error: {tmp_path / 'hangs.jpg'}: no answer for 1.5 s (--io_timeout)"
    )
    assert 2 <= len(lines) <= 4


def test_f24_a_name_that_is_no_text_is_told_in_one_line(tmp_path):
    name = os.fsdecode(b"a\nb\xff.jpg")
    code, _, lines = watched(tmp_path, IN_PYTHON, timeout=0.3, name=name)
    assert code == 4
    (line,) = lines
    assert line.startswith(f"error: {tmp_path}/a\\nb\\udcff.jpg: no answer")


@pytest.mark.parametrize("body", [IN_TENSORFLOW, IN_PYTHON])
def test_f24_a_file_that_answers_late_costs_nothing(tmp_path, body):
    # Some time after, so that the watch sees it.
    body += "    time.sleep(1)\n"
    code, out, lines = watched(tmp_path, body, answers=True)
    assert (code, out) == (0, "done\n"), lines
    assert lines[0].startswith(f"waiting for {tmp_path / 'hangs.jpg'}")
    assert lines[-1].endswith("hangs.jpg: answered, going on")


@pytest.mark.parametrize("body", [COMPUTING, STEADY])
def test_f24_a_step_that_computes_for_long_is_no_stall(tmp_path, body):
    assert watched(tmp_path, body, timeout=1.0) == (0, "done\n", [])


UNWAITED = """
    with io_watchdog.expecting([good, hangs]):
        for _ in range(8):
            time.sleep(0.45)  # Quiet for long enough to touch both.
            io_watchdog.answered()
"""


def test_f24_a_file_that_hangs_and_nobody_waits_for_ends_nothing(tmp_path):
    assert watched(tmp_path, UNWAITED, timeout=1.0) == (0, "done\n", [])


def failing(monkeypatch, number, times):
    """The first reads of a file fail; counts them."""
    monkeypatch.setattr(io_watchdog, "PAUSES", (0, 0))
    calls = []
    real = pathlib.Path.read_bytes

    def read_bytes(path):
        calls.append(path)
        if len(calls) <= times:
            raise OSError(number, os.strerror(number), str(path))
        return real(path)

    monkeypatch.setattr(pathlib.Path, "read_bytes", read_bytes)
    return calls


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_f10_what_passes_is_tried_three_times(tmp_path, monkeypatch, number):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"there")
    calls = failing(monkeypatch, number, times=2)
    assert Examples(("a.jpg",), [0], (str(file),)).read(0) == b"there"
    assert len(calls) == 3
    failing(monkeypatch, number, times=3)
    with pytest.raises(OSError, match=os.strerror(number)):
        io_watchdog.read(file)


def test_f10_what_does_not_pass_is_not_tried_again(tmp_path, monkeypatch):
    file = tmp_path / "a.jpg"
    calls = failing(monkeypatch, errno.EACCES, times=1)
    with pytest.raises(PermissionError):
        io_watchdog.read(file)
    assert len(calls) == 1


def test_f10_the_check_and_prediction_try_again_too(tmp_path, monkeypatch):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"there")
    monkeypatch.setattr(io_watchdog, "PAUSES", (0, 0))
    real, left = os.open, [2]

    def stale(path, *rest, **more):
        if str(path) == str(file) and left[0]:
            left[0] -= 1
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", stale)
    assert read_regular(str(file), 100) == (b"there", "")
    left[0] = 3
    content, reason = read_regular(str(file), 100)
    assert content == b""
    assert reason == "cannot be read (Stale file handle) - check the disk"
