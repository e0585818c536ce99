"""signals.py: what a signal does to a process, with processes that sleep."""

import signal
import subprocess
import sys
import time

import pytest
from conftest import CHECKOUT

SCRIPT = """
import sys, time
sys.path.insert(0, {checkout!r})
from tl_keras import signals
signals.PATIENCE = {patience}
def wait(asks):
    print("ready", flush=True)
    for _ in range(2000):
        time.sleep(0.01)
        if asks and signals.requested():
            time.sleep({saving})
            print("saved", flush=True)
            return
with signals.watching({resumable}):
    if {patient}:
        with signals.at_a_step():
            wait({asks})
        sys.exit(75)
    wait(False)
"""


def stopped(*signals, patience=30.0, saving=0.0, resumable=True, patient=True,
            asks=True, gap=0.3):  # fmt: skip
    """Exit code, output and complaints of a process that gets signals."""
    code = SCRIPT.format(
        checkout=str(CHECKOUT), patience=patience, saving=saving,
        resumable=resumable, patient=patient, asks=asks,
    )  # fmt: skip
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout.readline() == "ready\n"
    for number in signals:
        child.send_signal(number)
        time.sleep(gap)
    out, err = child.communicate()
    assert "Traceback" not in err
    return child.returncode, out, err


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_f05_f06_the_first_signal_is_taken_at_a_step(number):
    code, out, err = stopped(signal.Signals[number])
    assert (code, out) == (75, "saved\n")
    assert f"{number}: saving; once more stops at once" in err


@pytest.mark.parametrize(
    ("number", "expected"), [("SIGTERM", 143), ("SIGINT", 130)]
)
def test_f06_a_second_one_stops_at_once(number, expected):
    number = signal.Signals[number]
    code, out, err = stopped(number, number, saving=15.0)
    assert code == expected
    assert out == ""
    assert f"stopped at once by {number.name}" in err


def test_where_no_step_comes_patience_ends():
    code, out, err = stopped(signal.SIGTERM, asks=False, patience=0.5)
    assert (code, out) == (75, "")
    assert "stopped by SIGTERM - run the same command to go on" in err


def test_between_steps_it_ends_where_it_is():
    code, _, err = stopped(signal.SIGINT, patient=False)
    assert code == 75
    assert "stopped by SIGINT - run the same command to go on" in err


def test_a_command_that_cannot_go_on_ends_as_ever():
    code, _, err = stopped(signal.SIGTERM, resumable=False, patient=False)
    assert code == 143
    assert "stopped at once by SIGTERM" in err


def test_afterwards_signals_do_what_they_did():
    from tl_keras import signals

    before = [signal.getsignal(number) for number in signals.SIGNALS]
    with signals.watching(True):
        assert signal.getsignal(signal.SIGTERM) != before[0]
        assert not signals.requested()
    assert [signal.getsignal(n) for n in signals.SIGNALS] == before
