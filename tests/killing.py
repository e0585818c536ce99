"""Runs that are killed at random, held against a run that was not."""

import contextlib
import hashlib
import json
import pathlib
import subprocess
import sys
import zipfile

import h5py
import numpy as np
from conftest import CHECKOUT

# What says when and where, or is measured, and not what was learnt. The file
# model.keras is a zip archive, which holds the time it was made at.
NOT_LEARNT = {
    "seconds", "cost", "pictures_per_second", "latency_seconds", "versions",
    "largest_difference", "model.keras", "output_dir", "feature_cache",
    "predicted", "budget", "date",
}  # fmt: skip


# How much of a run is real: all of it; all but the export's gate, which keeps
# nothing that a kill could harm; neither graph nor gate nor page, and pictures
# are decoded by a small decoder.
WHOLE, UNGATED, QUICK = "whole", "ungated", "quick"


class Runs:
    """Starts training commands in a process that has TensorFlow loaded."""

    def __init__(self):
        self.server = subprocess.Popen(
            [sys.executable, str(CHECKOUT / "tests" / "fork_server.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(
        self, arguments, log, kill_after=None, by="SIGKILL", real=WHOLE
    ) -> int:
        """The exit code of a run, or minus the signal that ended it.

        Args:
            kill_after: (lines of output, seconds after these); None for never.
        """
        request = {
            "arguments": list(arguments), "log": str(log),
            "kill_after": kill_after, "signal": by, "real": real,
        }  # fmt: skip
        pathlib.Path(log).unlink(missing_ok=True)
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def lines(self, arguments, log, real=WHOLE) -> int:
        """How many lines a run says while it works; the others end it."""
        code = self.run(arguments, log, real=real)
        said = pathlib.Path(log).read_text()
        assert code == 0, said
        work, result, _ = said.partition("\n\ntest split")
        assert result, said
        return work.count("\n")

    def close(self):
        self.server.stdin.close()
        self.server.wait()


@contextlib.contextmanager
def running():
    runs = Runs()
    try:
        yield runs
    finally:
        runs.close()


def fingerprint(out: pathlib.Path) -> dict[str, str]:
    """SHA-256 of all that a finished run says it learnt, by name."""
    run = out / "run"
    found = {
        name: hashlib.sha256((run / name).read_bytes()).hexdigest()
        for name in ("history.csv", "split.csv", "predictions.csv")
    }
    with (
        zipfile.ZipFile(run / "model.keras") as archive,
        archive.open("model.weights.h5") as stream,
    ):
        found["weights"] = _arrays(h5py.File(stream, "r"))
    metrics = json.loads((run / "metrics.json").read_text())
    text = json.dumps(_learnt(metrics), sort_keys=True)
    found["metrics"] = hashlib.sha256(text.encode()).hexdigest()
    versions = sorted(p.name for p in out.iterdir() if p.name.isdecimal())
    found["versions"] = " ".join(versions)
    return found


def _arrays(file: h5py.File) -> str:
    digest = hashlib.sha256()

    def add(name, item):
        if isinstance(item, h5py.Dataset):
            digest.update(name.encode() + np.asarray(item).tobytes())

    file.visititems(add)
    return digest.hexdigest()


def _learnt(value):
    if isinstance(value, dict):
        return {k: _learnt(v) for k, v in value.items() if k not in NOT_LEARNT}
    return [_learnt(v) for v in value] if isinstance(value, list) else value


def last_line(log: pathlib.Path) -> str:
    """The last thing that a run said, of what it said itself."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:60] if lines else ""
