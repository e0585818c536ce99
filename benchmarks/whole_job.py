"""Whole processes: our command, checked data and verified export included,
against a bare script of plain Keras.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from benchmarks.material import mobilenet
from benchmarks.rounds import compare, describe_machine, rounds_asked

HEAD, FINE_TUNE = 20, 10


def bare(folder: str) -> dict:
    """The peer's script, in a process of its own."""
    work = mobilenet()
    command = [
        sys.executable, "-m", "benchmarks.plain_keras", str(work.data),
        work.weights, str(HEAD), str(FINE_TUNE), f"{folder}/plain",
    ]  # fmt: skip
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - began
    found = re.search(r"test accuracy: ([\d.]+)", done.stdout)
    return {"seconds": seconds, "test accuracy": float(found[1])}


def of_photographs() -> list[str]:
    """The flags of a run on cats_vs_dogs."""
    work = mobilenet()
    return [
        f"--dataset={work.data}", "--backbone=MobileNetV2",
        "--backbone_args=alpha=0.35", f"--weights={work.weights}",
    ]  # fmt: skip


def command(folder: str, *flags: str) -> dict:
    """`python -m tl_keras.train`, nothing kept from before."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        arguments = [
            sys.executable, "-m", "tl_keras.train", f"--output_dir={own}/out",
            f"--feature_cache={own}/features", *flags,
        ]  # fmt: skip
        # Nothing is known of the pictures either: the check reads them all.
        cleared = {**os.environ, "XDG_CACHE_HOME": f"{own}/cache"}
        began = time.perf_counter()
        subprocess.run(arguments, capture_output=True, check=True, env=cleared)
        seconds = time.perf_counter() - began
        metrics = pathlib.Path(own, "out", "run", "metrics.json").read_text()
    accuracy = json.loads(metrics)["test"]["accuracy"]
    return {"seconds": seconds, "test accuracy": accuracy}


def main() -> None:
    """With a head by Adam, and with the default: solved exactly."""
    rounds = rounds_asked(3)
    describe_machine()
    flags = [
        *of_photographs(), f"--head_epochs={HEAD}",
        f"--fine_tune_epochs={FINE_TUNE}", "--unfreeze_from=block_13_expand",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        compare(
            f"whole job, MobileNetV2 0.35, {HEAD} and {FINE_TUNE} epochs",
            lambda: bare(folder),
            {
                f"--head_solver={solver}": (
                    lambda s=solver: command(
                        folder, *flags, f"--head_solver={s}"
                    ),
                    reach,
                )
                for solver, reach in (("adam", 2), ("auto", 3))
            },
            rounds=rounds,
        )


if __name__ == "__main__":
    main()
