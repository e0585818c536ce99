"""Two ways to do the same work, in turn, several rounds; their ratio.

    compare("head phase", peer=plain, ours=stored, rounds=5)

In: two functions that return notes such as {"accuracy": 0.93} and, if they
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
    title: str, peer: Side, ours: Side, *, rounds: int, reach: float = 0.0
) -> list[float]:
    """Runs both sides in turn and prints how many times faster ours is.

    Args:
        title: what is done.
        peer, ours: do the work once; a note "seconds" replaces the time that
            the call took.
        rounds: how often each side runs; the sides begin in turn.
        reach: the ratio that was aimed at, for the print.

    Returns:
        The ratio of each round.
    """
    seconds: dict[str, list[float]] = {"peer": [], "ours": []}
    notes: dict[str, dict[str, list[float]]] = {"peer": {}, "ours": {}}
    for number in range(rounds):
        sides = [("peer", peer), ("ours", ours)]
        for name, side in sides if number % 2 == 0 else reversed(sides):
            began = time.perf_counter()
            found = side()
            spent = time.perf_counter() - began
            seconds[name].append(found.pop("seconds", spent))
            for key, value in found.items():
                notes[name].setdefault(key, []).append(value)
    ratios = [
        p / o for p, o in zip(seconds["peer"], seconds["ours"], strict=True)
    ]
    print(f"\n{title} ({rounds} rounds)")
    for name in ("peer", "ours"):
        print(f"  {name}: {spread(seconds[name])} s", end="")
        for key, values in notes[name].items():
            print(f"; {key} {statistics.mean(values):.3f}", end="")
        print()
    aim = f" (reach {reach:g})" if reach else ""
    print(f"  ours is faster by {spread(ratios)}{aim}", flush=True)
    return ratios


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
