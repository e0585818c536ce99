"""benchmarks/gpu.py: parts that fail or hang end nothing but themselves."""

import importlib.util
import sys

from conftest import CHECKOUT

# By its file: the checkout is not on the path where the wheel is tested.
SPEC = importlib.util.spec_from_file_location(
    "benchmark_of_the_gpu", CHECKOUT / "benchmarks" / "gpu.py"
)
gpu = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = gpu
SPEC.loader.exec_module(gpu)
HANGS = ("timeit", "-n1", "-r1", "import time; time.sleep(100)")
SAYS = (
    "timeit", "-n1", "-r1",
    "print('RESULT {\"epoch of files, s\": 2.5}', flush=True)",
)  # fmt: skip


def test_a_part_gives_its_numbers(capsys):
    found = {}
    assert gpu.run_part(gpu.Part("x", SAYS, 60), 60, found) == ""
    assert found == {"epoch of files, s": 2.5}
    assert "epoch of files, s: 2.5" in capsys.readouterr().out


def test_a_part_that_fails_or_hangs_says_so():
    found = {}
    missing = gpu.Part("x", ("no_such_module_here",), 60)
    why = gpu.run_part(missing, 60, found)
    assert why.startswith("exit 1; ")
    assert "No module named" in why
    hanging = gpu.Part("x", HANGS, 60)
    assert gpu.run_part(hanging, 0.5, found).startswith("ended by its limit")
    assert found == {}


def test_the_table_says_what_was_reached_missed_and_not_measured():
    found = {
        "VGG16 b32 step, ms": 12.0, "peer VGG16 b32 step, ms": 10.0,
        "trunk, pictures/s": 95.0, "peer trunk, pictures/s": 100.0,
        "waiting for data, %": 2.5,
    }  # fmt: skip
    lines = {line[:32].strip(): line[32:] for line in gpu.table(found)}
    assert lines["VGG16 b32 step, ms"].split() == [
        "12", "10", "1.20", "1.10", "missed",
    ]  # fmt: skip
    assert lines["trunk, pictures/s"].split() == ["95", "100", "0.95", "0.90"]
    assert lines["waiting for data, %"].split() == ["2.5", "2.00", "missed"]
    assert "not measured" in lines["quick start, gpu, s"]


def test_what_is_held_against_another_fits_eight_minutes():
    *parts, last = gpu.parts("x", rehearse=False)
    assert gpu.PICTURES + sum(part.seconds for part in parts) <= 8 * 60
    assert last.name.startswith("XLA")


def test_every_number_that_is_held_against_another_has_a_part():
    names = [part.name for part in gpu.parts("x", rehearse=False)]
    assert len(names) == len(set(names))
    assert {n.split(",")[0] for n in names} == {
        "quick start", "steps", "epochs", "trunk", "XLA steps",
    }  # fmt: skip
