"""Publishing: whoever polls a base path never loads half a version."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
from conftest import CHECKOUT

from tl_keras import atomic, versions
from tl_keras.exports import publish_next

NIGHTLY = pytest.mark.nightly
# A version as the publisher makes it: many files, the last written last.
PARTS = 12
PUBLISHER = """
import pathlib, sys
sys.path.insert(0, sys.argv[2])
from tl_keras import atomic, versions
base = pathlib.Path(sys.argv[1])
while True:
    with atomic.building_folder(base) as temporary:
        (temporary / "variables").mkdir()
        for part in range({parts}):
            (temporary / "variables" / str(part)).write_bytes(b"x" * 999)
        (temporary / "saved_model.pb").write_bytes(b"whole")
        number = versions.next_version(base)
        atomic.publish_folder(temporary, base / str(number))
"""


class Poller(threading.Thread):
    """Loads each new number at once, as a server that polls each ms."""

    def __init__(self, base: pathlib.Path, load: Callable):
        super().__init__(daemon=True)
        self.base, self.load = base, load
        self.seen: set[str] = set()
        self.faults: list[str] = []
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.001):
            self.poll()
        self.poll()

    def poll(self):
        names = {n for n in os.listdir(self.base) if n.isdecimal()}
        for name in sorted(names - self.seen, key=int):
            self.seen.add(name)
            fault = self.load(self.base / name)
            if fault:
                self.faults.append(f"{name}: {fault}")


def load_small(folder: pathlib.Path) -> str:
    """ "" or what a version lacks."""
    files = [folder / "variables" / str(part) for part in range(PARTS)]
    for file in files:
        if not file.exists() or file.stat().st_size != 999:
            return f"{file.name} is not whole"
    model = folder / "saved_model.pb"
    if not model.exists() or model.read_bytes() != b"whole":
        return "saved_model.pb is not whole"
    return ""


def newest(base: pathlib.Path) -> int:
    return versions.next_version(base) - 1


@pytest.mark.parametrize(
    ("rounds", "gap"), [(100, 10), pytest.param(1000, 100, marks=NIGHTLY)]
)
def test_a_poller_sees_whole_versions_over_rounds_and_kills(
    tmp_path, rounds, gap
):
    """The publisher is killed at random times, and begins again."""
    luck = random.Random(0)
    poller = Poller(tmp_path, load_small)
    poller.start()
    kills = 0
    while newest(tmp_path) < rounds:
        child = subprocess.Popen(
            [
                sys.executable, "-c", PUBLISHER.format(parts=PARTS),
                str(tmp_path), str(CHECKOUT),
            ]
        )  # fmt: skip
        goal = min(rounds, newest(tmp_path) + luck.randrange(1, gap))
        while newest(tmp_path) < goal:
            assert child.poll() is None
            time.sleep(luck.uniform(0, 0.01))
        child.send_signal(signal.SIGKILL)
        child.wait()
        kills += 1
    poller.over.set()
    poller.join()
    assert poller.faults == []
    assert len(poller.seen) == newest(tmp_path) >= rounds
    assert kills >= 10
    versions = sorted(int(n) for n in os.listdir(tmp_path) if n.isdecimal())
    assert versions == list(range(1, newest(tmp_path) + 1))


def test_the_poller_would_see_half_a_version(tmp_path):
    """Written in place, without a rename: the test above can fail."""
    poller = Poller(tmp_path, load_small)
    (tmp_path / "1" / "variables").mkdir(parents=True)
    poller.poll()
    assert poller.faults == ["1: 0 is not whole"]


def test_two_publishers_take_two_numbers(tmp_path, monkeypatch):
    """Both found 1 to be the next: the second one takes 2."""
    numbers = iter([1, 1, 2])
    monkeypatch.setattr(versions, "next_version", lambda _: next(numbers))
    for word in ("a", "b"):
        with atomic.building_folder(tmp_path) as temporary:
            (temporary / "saved_model.pb").write_text(word)
            publish_next(temporary, tmp_path)
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "a"
    assert (tmp_path / "2" / "saved_model.pb").read_text() == "b"
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]


EXPORTER = """
import sys
sys.path.insert(0, sys.argv[2])
from tl_keras.networks import build_classifier
from tl_keras.data.catalogues import png
from tl_keras.exports import export_saved_model
import numpy as np
golden = [png(np.full((20, 30, 3), 100, np.uint8))]
model = build_classifier(sys.argv[3], 2)
while True:
    export_saved_model(
        model, sys.argv[1], class_names=["a", "b"], golden=golden
    )
"""


def load_export(folder: pathlib.Path) -> str:
    """ "" or why TensorFlow cannot load and run a version."""
    import tensorflow as tf

    from tl_keras.inputs.image.pixels import Decoding

    try:
        serve = tf.saved_model.load(folder).signatures["serving_default"]
        sample = tf.constant([Decoding(16).sample()])
        status = serve(image_bytes=sample)["status"]
    except Exception as error:
        return repr(error)
    return status[0].numpy().decode()


@pytest.mark.acceptance
def test_a_poller_loads_50_real_exports_among_kills(tmp_path, tiny_network):
    """Minutes: each export goes through the gate."""
    luck = random.Random(0)
    poller = Poller(tmp_path, load_export)
    poller.start()
    while newest(tmp_path) < 50:
        child = subprocess.Popen(
            [
                sys.executable, "-c", EXPORTER, str(tmp_path), str(CHECKOUT),
                str(tiny_network),
            ]
        )  # fmt: skip
        goal = min(50, newest(tmp_path) + luck.randrange(3, 12))
        while newest(tmp_path) < goal:
            assert child.poll() is None
            time.sleep(luck.uniform(0, 1))
        child.send_signal(signal.SIGKILL)
        child.wait()
    poller.over.set()
    poller.join()
    assert poller.faults == []
    assert len(poller.seen) == newest(tmp_path) >= 50
