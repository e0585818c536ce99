"""How near the advice on more labels is: foretold, and what they then gave.

    TL_KERAS_SHARED=FOLDER python -m benchmarks.advice --cache=FOLDER

cats_vs_dogs, MobileNetV2 0.35, features of all 300 labelled photographs. Draws
of so many labels a class are all that the advice sees; what it foretells for
twice and four times as many is compared with a head that is solved on so many,
the drawn ones among them, and asked about the 300 test photographs.
"""

import argparse
import time

import numpy as np

from benchmarks.material import drawn, stored_features
from benchmarks.rounds import describe_machine
from tl_keras.advice import advise
from tl_keras.tasks.multiclass import solve_probe

NAMES = ("cats", "dogs")


def accuracy(features, labels, test, truth) -> float:
    """Of a solved head, on the test photographs."""
    said = solve_probe(features, labels).outputs(test).argmax(axis=-1)
    return float((said == truth).mean())


def measure(a_class: int, seed: int, known, asked) -> dict:
    """One draw: what was foretold, and what came."""
    features, labels = known
    some, _ = drawn(labels, a_class, seed)
    began = time.perf_counter()
    advice = advise(
        features[some], labels[some], class_names=NAMES,
        trained_on=len(some), seed=seed,
    )  # fmt: skip
    found = {
        "seconds": time.perf_counter() - began,
        "now": accuracy(features[some], labels[some], *asked),
        "hindcast": advice["hindcast"],
        "sentences": advice["sentences"],
        "rows": [],
    }
    for row in advice["forecast"] or ():
        more, _ = drawn(labels, row["labels"] // 2, seed)
        if len(more) == row["labels"]:
            came = accuracy(features[more], labels[more], *asked)
            found["rows"].append(row | {"came": came})
    return found


def report(a_class: int, runs: list[dict]) -> None:
    """A line for each multiple of the labels."""
    silent = sum(not run["rows"] for run in runs)
    if silent:
        print(f"  {a_class} a class: {silent} draws foretell nothing that "
              "came to be measured")  # fmt: skip
    for place in range(max(len(run["rows"]) for run in runs)):
        pairs = [
            (run["now"], run["rows"][place])
            for run in runs
            if len(run["rows"]) > place
        ]
        now = np.array([before for before, _ in pairs])
        rows = [row for _, row in pairs]
        foretold, gain, low, high, came = (
            np.array([row[name] for row in rows])
            for name in ("accuracy", "gain", "low", "high", "came")
        )
        inside = (low <= came - now) & (came - now <= high)
        print(
            f"| {a_class} | {rows[0]['labels'] // 2} | {len(rows)} | "
            f"{foretold.mean():.3f} | {came.mean():.3f} | "
            f"{100 * np.abs(foretold - came).mean():.1f} | "
            f"{100 * gain.mean():+.1f} ({100 * low.mean():+.1f} to "
            f"{100 * high.mean():+.1f}) | {100 * (came - now).mean():+.1f} | "
            f"{100 * np.abs(gain - (came - now)).mean():.1f} | "
            f"{inside.sum()} | "
            f"{np.median([run['seconds'] for run in runs]):.1f} s |",
            flush=True,
        )
    said = [run["hindcast"] for run in runs if run["hindcast"]]
    if said:
        off = [abs(one["foretold"] - one["measured"]) for one in said]
        print(
            f"  {a_class} a class: half of the labels foretold all of them to "
            f"{100 * np.mean(off):.1f} points ({len(said)} draws)"
        )


def main() -> None:
    """Draws of few labels; what they foretell of more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", required=True, help="folder of features")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--labels", type=int, nargs="*",
                        default=[10, 20, 37, 75])  # fmt: skip
    asked_for = parser.parse_args()
    describe_machine()
    splits = stored_features(asked_for.cache)
    known = tuple(
        np.concatenate(parts)
        for parts in zip(splits["train"], splits["val"], strict=True)
    )
    print("| labels a class | foretold for | draws | foretold accuracy | came "
          "| off by, points | foretold gain (9 of 10) | came | off by | inside "
          "| time |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for a_class in asked_for.labels:
        runs = [
            measure(a_class, seed, known, splits["test"])
            for seed in range(asked_for.draws)
        ]
        report(a_class, runs)
    whole = advise(*known, class_names=NAMES, trained_on=len(known[1]))
    print("All of them:")
    print("\n".join(f"  {line}" for line in whole["sentences"]))


if __name__ == "__main__":
    main()
