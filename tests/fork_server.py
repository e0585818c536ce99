"""Starts training runs that may be killed, without importing TensorFlow anew.

Reads a line of JSON a run: its arguments, its log, when to kill it: how many
lines of output and then how many seconds it has (null for never), the signal,
and how much of it is real (`killing.WHOLE`, ...). Answers a line of JSON: the
exit code, or minus the signal that ended it.

A process of its own, since a fork is only safe before TensorFlow's first
operation.
"""

import contextlib
import gc
import json
import os
import signal
import sys
import time
import traceback
import types

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import tensorflow  # noqa: F401
import tiny
from killing import QUICK, UNGATED
from warm import WarmPython, subprocess_with

from tl_keras import exports
from tl_keras.exports import fresh_process
from tl_keras.jobs import transfer
from tl_keras.train import main


def start(arguments: list[str], log: str, real: str) -> int:
    """Forks a run; its number as a process."""
    child = os.fork()
    if child:
        return child
    os.setsid()  # The gate's processes die with it.
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if real == UNGATED:
        exports.check_export = tiny.unchecked
        fresh_process.start_loaders = contextlib.nullcontext
    if real == QUICK:
        transfer.STAGES = tiny.QUICK
        tiny.use_plain_decoder(types.SimpleNamespace(setattr=setattr))
    code = 1
    try:
        code = main(arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def ended(child: int, wait: bool) -> int | None:
    """The code that a run ended with; None while it runs."""
    done, status = os.waitpid(child, 0 if wait else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def written(log: str) -> int:
    """How many lines a log has."""
    try:
        with open(log, "rb") as file:
            return file.read().count(b"\n")
    except FileNotFoundError:
        return 0


def serve(request: dict) -> int:
    """Runs one request; gives its code."""
    child = start(request["arguments"], request["log"], request["real"])
    if request["kill_after"] is None:
        return ended(child, wait=True)
    lines, seconds = request["kill_after"]
    # By what it has done: how long that takes, other work on the machine says.
    while written(request["log"]) < lines:
        if (code := ended(child, wait=False)) is not None:
            return code
        time.sleep(0.005)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (code := ended(child, wait=False)) is not None:
            return code
        time.sleep(0.005)
    number = signal.Signals[request["signal"]]
    if number == signal.SIGKILL:
        os.killpg(child, number)
    else:
        os.kill(child, number)
    return ended(child, wait=True)


if __name__ == "__main__":
    with WarmPython("numpy", "tensorflow", blocked="keras") as warm:
        fresh_process.subprocess = subprocess_with(warm.start)
        # What is loaded is not looked through, and so copied, by each child.
        gc.freeze()
        for line in sys.stdin:
            print(json.dumps(serve(json.loads(line))), flush=True)
