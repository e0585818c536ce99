"""What pictures without labels are worth, by labels a class.

    TL_KERAS_SHARED=FOLDER python -m benchmarks.unlabelled --cache=FOLDER

cats_vs_dogs, MobileNetV2 0.35, stored features. Draws of so many labels a class
are taken from the 300 photographs of `train` and `val`; the others of them are
given without labels. Accuracy is of the 300 test photographs: of the head that
labels alone make, of the one with the others, and of the one that
cross-validation over the labelled ones chooses.
"""

import argparse
import statistics
import time

import numpy as np

from benchmarks.material import drawn, stored_features
from benchmarks.rounds import describe_machine
from tl_keras.semi_supervised import compare, solve_with_unlabelled
from tl_keras.tasks.multiclass import solve_probe


def measure(a_class: int, seed: int, known, asked) -> dict:
    """One draw."""
    features, labels = known
    test, truth = asked
    some, others = drawn(labels, a_class, seed)
    few = features[some], labels[some]
    began = time.perf_counter()
    found = compare(*few, features[others])
    chosen = alone = solve_probe(*few)
    if found.share:
        chosen = solve_with_unlabelled(
            *few, features[others], share=found.share
        )
    seconds = time.perf_counter() - began
    both = solve_with_unlabelled(*few, features[others])
    right = [
        float((head.outputs(test).argmax(axis=-1) == truth).mean())
        for head in (alone, both, chosen)
    ]
    return {
        "alone": right[0],
        "both": right[1],
        "chosen": right[2],
        "share": found.share,
        "seconds": seconds,
    }


def row(a_class: int, runs: list[dict]) -> str:
    """A row of the table."""
    means = [
        f"{statistics.mean(run[name] for run in runs):.3f}"
        for name in ("alone", "both", "chosen")
    ]
    each = " ".join(f"{run['alone']:.3f}/{run['chosen']:.3f}" for run in runs)
    shares = " ".join(f"{run['share']:g}" for run in runs)
    return (
        f"| {a_class} | {len(runs)} | {' | '.join(means)} | "
        f"{shares} | "
        f"{statistics.median(run['seconds'] for run in runs):.1f} s | {each} |"
    )


def main() -> None:
    """Draws of few labels, the other pictures without theirs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", required=True, help="folder of features")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--labels", type=int, nargs="*", default=[5, 10, 20])
    asked_for = parser.parse_args()
    describe_machine()
    splits = stored_features(asked_for.cache)
    known = tuple(
        np.concatenate(parts)
        for parts in zip(splits["train"], splits["val"], strict=True)
    )
    print("| labels a class | draws | labels alone | with the others | chosen "
          "| shares chosen | median time | each, alone/chosen |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for a_class in asked_for.labels:
        runs = [
            measure(a_class, seed, known, splits["test"])
            for seed in range(asked_for.draws)
        ]
        print(row(a_class, runs), flush=True)


if __name__ == "__main__":
    main()
