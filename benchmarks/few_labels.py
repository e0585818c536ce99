"""What a few labels are worth: the whole default training, by labels a class.

    TL_KERAS_SHARED=FOLDER python -m benchmarks.few_labels --cache=FOLDER

cats_vs_dogs, MobileNetV2 0.35, all settings by default. With 100 labels a class
it trains on the splits as they are, over several seeds; with fewer, draws of
them from `train` and `val` are all that a run has, what it cuts off to validate
included. Accuracy and loss are of the 300 test pictures. Activations are kept
in the cache, so that draws after the first train on stored features.
"""

import argparse
import contextlib
import dataclasses
import io
import pathlib
import shutil
import statistics
import tempfile
import time

import numpy as np

from benchmarks.material import mobilenet, photographs
from benchmarks.rounds import describe_machine
from tl_keras import TransferConfig
from tl_keras.jobs.final_fit import solve_on_all
from tl_keras.jobs.preparation import prepare
from tl_keras.jobs.training import (
    calibrate,
    evaluate_phases,
    feature_store,
    train,
)
from tl_keras.runs import RunFolder

CLASSES = ("cats", "dogs")


def draw(labels: int, seed: int, folder: pathlib.Path) -> pathlib.Path:
    """So many labels a class in `train`, and the whole test split."""
    random = np.random.default_rng(seed)
    for name in CLASSES:
        files = sorted(
            file
            for split in ("train", "val")
            for file in (photographs() / split / name).iterdir()
        )
        place = folder / "train" / name
        place.mkdir(parents=True)
        for file in random.permutation(np.array(files, object))[:labels]:
            shutil.copy(file, place)
    shutil.copytree(photographs() / "test", folder / "test")
    return folder


def measure(config: TransferConfig) -> dict:
    """One run but for its export: what it scores, and its seconds."""
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        prepared = prepare(config)
        store = feature_store(config)
        fit = train(prepared, RunFolder.of(config.run_folder()), store)
        final = solve_on_all(prepared, fit, store)
        fit, _ = calibrate(prepared, final, store)
        phases = evaluate_phases(prepared, fit, store)
    return {
        "head": phases[0].metrics["accuracy"],
        "run": phases[fit.kept].metrics["accuracy"],
        "loss": phases[fit.kept].metrics["loss"],
        "kept": fit.phases[fit.kept].phase.name,
        "share": getattr(fit.phases[-1], "share", None),
        "seconds": time.perf_counter() - began,
    }


def row(labels: int, runs: list[dict]) -> str:
    """A row of the table."""

    def mean(name: str) -> float:
        return statistics.mean(run[name] for run in runs)

    each = " ".join(f"{run['run']:.3f}" for run in runs)
    tuned = sum(run["kept"] != "head" for run in runs)
    shares = " ".join(str(run["share"]) for run in runs)
    return (
        f"| {labels} | {len(runs)} | {mean('head'):.3f} | {mean('run'):.3f} "
        f"({each}) | {mean('loss'):.3f} | {tuned} ({shares}) | "
        f"{statistics.median(run['seconds'] for run in runs):.0f} s |"
    )


def main() -> None:
    """100 a class over seeds, then fewer over draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", required=True, help="folder of features")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--labels", type=int, nargs="*", default=[5])
    parser.add_argument(
        "--train_on_all", action=argparse.BooleanOptionalAction,
        help="the setting; by default the 200 pictures' own validation split "
        "is kept apart, and what a draw cuts off is not",
    )  # fmt: skip
    asked = parser.parse_args()
    describe_machine()
    work = mobilenet()
    plain = TransferConfig(
        dataset=str(work.data), backbone=work.backbone,
        backbone_args="alpha=0.35", weights=work.weights,
        feature_cache=asked.cache, train_on_all=asked.train_on_all,
    )  # fmt: skip
    print("| labels a class | runs | frozen head | whole run (each) | loss | "
          "fine-tune kept (shares) | median time |")  # fmt: skip
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        runs = [
            measure(
                dataclasses.replace(
                    plain, seed=seed, output_dir=str(root / f"whole{seed}")
                )
            )
            for seed in range(asked.seeds)
        ]
        if runs:
            print(row(100, runs), flush=True)
        for labels in asked.labels:
            runs = []
            for seed in range(asked.draws):
                folder = root / f"{labels}-{seed}"
                data = draw(labels, seed, folder / "data")
                config = dataclasses.replace(
                    plain, dataset=str(data), output_dir=str(folder / "out")
                )
                runs.append(measure(config))
                shutil.rmtree(folder)
            print(row(labels, runs), flush=True)


if __name__ == "__main__":
    main()
