"""A process that dies at any operation of ours leaves old or new, whole.

Each point is a forked process that ends itself there: nothing is cleaned up.
What TensorFlow writes on its own is cut short by strace, where it is there.
"""

import json
import re
import shutil
import subprocess
import sys

import pytest
from conftest import CHECKOUT

SCRIPT = r"""
import json, os, pathlib, signal, sys
import numpy as np
sys.path.insert(0, "tests")
from crash_points import dying
from tl_keras import atomic, versions
from tl_keras.checkpoints import Checkpoints

root = pathlib.Path(sys.argv[1])

def save(folder):
    Checkpoints(folder).save({"a": np.arange(5000.0)}, {"n": 3})

def saved(folder):
    kept = Checkpoints(folder)
    found = kept.newest()
    assert found.state["n"] in (2, 3), found.state
    assert (found.arrays["a"] == np.arange(5000.0)).all()
    left = [p.name for p in folder.iterdir() if not p.name.isdecimal()]
    assert left == [], left
    kept.save({"a": np.arange(5000.0)}, {"n": 4})
    assert Checkpoints(folder).newest().state["n"] == 4
    assert len(list(folder.iterdir())) == 2
    return found.state["n"]

def begin_save(folder):
    for n in (1, 2):
        Checkpoints(folder).save({"a": np.arange(5000.0)}, {"n": n})

def publish(folder):
    with atomic.building_folder(folder) as temporary:
        (temporary / "assets.extra").mkdir()
        for name in ("saved_model.pb", "assets.extra/labels.txt"):
            with open(temporary / name, "w") as stream:
                stream.write("whole" * 100)
        number = versions.next_version(folder)
        atomic.publish_folder(temporary, folder / str(number))

def begin_publish(folder):
    folder.mkdir()
    (folder / "1").mkdir()

def published(folder):
    there = sorted(p for p in folder.iterdir() if p.name.isdecimal())
    for version in there[1:]:
        for name in ("saved_model.pb", "assets.extra/labels.txt"):
            assert (version / name).read_text() == "whole" * 100
    before = len(there)
    atomic.remove_leftovers(folder)
    publish(folder)
    assert len(list(folder.iterdir())) == before + 1
    return before

def replace(folder):
    with atomic.replacing(folder / "file.csv") as temporary:
        with open(temporary, "w") as stream:
            stream.write("new" * 1000)

def begin_replace(folder):
    folder.mkdir()
    (folder / "file.csv").write_text("old" * 1000)

def replaced(folder):
    text = (folder / "file.csv").read_text()
    assert text in ("old" * 1000, "new" * 1000)
    return text[:3]

report = {}
for begin, act, judge in ((begin_save, save, saved),
                          (begin_publish, publish, published),
                          (begin_replace, replace, replaced)):
    at, seen = 0, []
    while True:
        folder = root / f"{act.__name__}_{at}"
        begin(folder)
        child = os.fork()
        if not child:
            with dying(at):
                act(folder)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        seen.append(judge(folder))
        if code == 0:
            break
        assert code == -signal.SIGKILL, code
        at += 1
    report[act.__name__] = [at, seen]
print(json.dumps(report))
"""


def test_f02_f03_f04_every_operation_may_be_the_last(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True, text=True, cwd=CHECKOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    points, seen = report["save"]
    assert points >= 15
    # Up to the rename the old one is found, from then on the new one.
    assert seen == sorted(seen)
    assert set(seen) == {2, 3}
    assert report["publish"][0] >= 10
    assert set(report["publish"][1]) == {1, 2}
    assert set(report["replace"][1]) == {"old", "new"}


EXPORT = r"""
import os, pathlib, sys
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
import keras
from tl_keras import atomic
from tl_keras.networks import build_classifier
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.exports.signatures import write_signatures
from tl_keras.exports import publish_next
folder = pathlib.Path(sys.argv[1])
model = build_classifier(sys.argv[2], 2, weights="auto")
with atomic.building_folder(folder) as temporary:
    write_signatures(model, temporary, ["a", "b"], Decoding(16))
    publish_next(temporary, folder)
"""
CALLS = "openat,write,pwrite64,rename,renameat,renameat2,fsync,mkdir,unlink"


def traced(folder, network, *inject) -> tuple[int, str]:
    """An export under strace: its exit code, and what it called there."""
    log = folder.with_suffix(".strace")
    done = subprocess.run(
        ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={CALLS}",
         *inject, sys.executable, "-c", EXPORT, str(folder), str(network)],
        capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, log.read_text(errors="replace")


@pytest.mark.parametrize(
    "points",
    [
        # Two exports in processes of their own, each call of theirs watched.
        pytest.param(1, marks=pytest.mark.nightly),
        pytest.param(40, marks=pytest.mark.acceptance),
    ],
)
def test_f03_what_tensorflow_writes_may_be_cut_short(
    tmp_path, tiny_network, points
):
    """SIGKILL inside some of the calls that an export makes in its folder."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed: cannot stop inside TensorFlow")
    code, log = traced(tmp_path / "whole", tiny_network)
    if code:
        pytest.skip("strace may not trace here")
    counts: dict[str, int] = {}
    inside = []
    for line in log.splitlines():
        called = re.match(r"\d+ +(\w+)\(", line)
        if called:
            counts[called[1]] = counts.get(called[1], 0) + 1
            if str(tmp_path / "whole") in line:
                inside.append((called[1], counts[called[1]]))
    assert len(inside) > 10
    step = max(1, len(inside) // points)
    for name, number in inside[step // 2 :: step][:points]:
        folder = tmp_path / f"{name}_{number}"
        code, _ = traced(
            folder, tiny_network,
            "-e", f"inject={name}:signal=KILL:when={number}",
        )  # fmt: skip
        versions = [p for p in folder.glob("*") if p.name.isdecimal()]
        if code == 0:  # Another thread took the turn: then all is there.
            assert len(versions) == 1
        for version in versions:
            files = {str(p.relative_to(version)) for p in version.rglob("*")}
            whole = tmp_path / "whole" / "1"
            assert files == {
                str(p.relative_to(whole)) for p in whole.rglob("*")
            }
