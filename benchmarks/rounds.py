"""Ways to do the same work, in turn, several rounds; their ratios.

    compare("head phase", plain, {"stored": (stored, 7)}, rounds=5)

In: functions that return notes such as {"accuracy": 0.93} and, if they
time a part of themselves, {"seconds": 1.2}. Out: a printed table.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable

# Before TensorFlow loads: nothing but our lines on the screen.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

Side = Callable[[], dict]


def compare(
    title: str, peer: Side, ours: dict[str, tuple[Side, float]], *, rounds: int
) -> None:
    """Runs the sides in turn and prints how many times faster ours are.

    Args:
        title: what is done.
        peer: does the work once, as all sides do; a note "seconds" replaces
            the time that the call took.
        ours: by name, a side and the ratio that was aimed at (0 for none).
        rounds: how often each side runs; peer and ours begin in turn.
    """
    sides = {"peer": peer, **{name: side for name, (side, _) in ours.items()}}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    notes: dict[str, dict[str, list[float]]] = {name: {} for name in sides}
    for number in range(rounds):
        names = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in names:
            began = time.perf_counter()
            found = sides[name]()
            spent = time.perf_counter() - began
            seconds[name].append(found.pop("seconds", spent))
            for key, value in found.items():
                notes[name].setdefault(key, []).append(value)
    print(f"\n{title} ({rounds} rounds, least / median / most)")
    for name, spent in seconds.items():
        line = f"  {name}: {spread(spent)} s"
        for key, values in notes[name].items():
            line += f"; {key} {statistics.mean(values):.3f}"
        if name != "peer":
            pairs = zip(seconds["peer"], spent, strict=True)
            line += f"; faster by {spread([p / o for p, o in pairs])}"
            line += f" (reach {ours[name][1]:g})" if ours[name][1] else ""
        print(line, flush=True)


def spread(values: list[float]) -> str:
    """Least / median / largest."""
    middle = statistics.median(values)
    return f"{min(values):.2f} / {middle:.2f} / {max(values):.2f}"


def rounds_asked(default: int) -> int:
    """`--rounds=N` of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=default)
    return parser.parse_args().rounds


def describe_machine() -> None:
    """Prints what the times depend on."""
    import keras
    import tensorflow as tf

    print(
        f"{os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}"
    )
