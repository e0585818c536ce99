"""What a few labels are worth: the whole training, by strategy and labels.

    TL_KERAS_SHARED=FOLDER python -m benchmarks.few_labels --cache=FOLDER
    python -m benchmarks.few_labels --cache=FOLDER --data=digits --seeds=0 \
        --labels 5 10 20 --strategies frozen fine_tune auto --draws=10

cats_vs_dogs on MobileNetV2 0.35, spoken digits as pictures of their spectra or
scikit-learn's digits (at 96 pixels) on the same, or those on letters_vgg; all
other settings by default. Draws of so many labels a class are all that a run
has, what it cuts off to validate included; --seeds adds cats_vs_dogs's own
training split, 100 a class, with its own validation. Accuracy and loss are of
the whole test split. Activations are kept in the cache, so that draws after the
first train on stored features.
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
from collections.abc import Iterator

import numpy as np

from benchmarks.material import mobilenet, spectra
from benchmarks.rounds import describe_machine
from tl_keras import TransferConfig
from tl_keras.jobs.final_fit import solve_on_all
from tl_keras.jobs.judging import calibrate, evaluate_phases
from tl_keras.jobs.preparation import prepare
from tl_keras.jobs.searching import (
    FEW_FOLDS,
    FEW_LABELS,
    MANY_FOLDS,
    candidates_of_run,
    known_of,
    plan_for,
    search_all,
)
from tl_keras.jobs.training import feature_store, train
from tl_keras.runs import RunFolder
from tl_keras.search import SearchPlan
from tl_keras.training import PhaseResult

DIGITS = "digits"


def draw(
    source: pathlib.Path, labels: int, seed: int, folder: pathlib.Path
) -> pathlib.Path:
    """So many labels a class in `train`, and the whole test split."""
    random = np.random.default_rng(seed)
    for name in sorted(place.name for place in (source / "test").iterdir()):
        files = sorted(
            file
            for split in ("train", "val")
            for file in (source / split / name).glob("*")
        )
        place = folder / "train" / name
        place.mkdir(parents=True)
        for file in random.permutation(np.array(files, object))[:labels]:
            shutil.copy(file, place)
    shutil.copytree(source / "test", folder / "test")
    return folder


def measure(config: TransferConfig, tried: int = 0) -> dict:
    """One run but for its export: what it scores, and its seconds.

    A number of candidates that is given is tried whatever time it takes, so
    that the load of a machine has no say.
    """
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        prepared = prepare(config)
        store = feature_store(config)
        folder, plan = RunFolder.of(config.run_folder()), None
        if tried:
            names = [c.name for c in candidates_of_run(prepared)[:tried]]
            many = len(known_of(prepared)) > FEW_LABELS
            folds = FEW_FOLDS if many else MANY_FOLDS
            plan = SearchPlan(tuple(names), folds, 0.0, 0.0)
        elif config.searches():
            elapsed = time.perf_counter() - began
            plan = plan_for(prepared, store, folder, elapsed).plan
        if plan is not None:
            found = search_all(prepared, plan, folder, store)
            prepared = dataclasses.replace(prepared, phases=found.phases)
            final = found.final
        else:
            fit = train(prepared, folder, store)
            final = solve_on_all(prepared, fit, store)
        fit, _ = calibrate(prepared, final, store)
        phases = evaluate_phases(prepared, fit, store)
    return {
        "head": phases[0].metrics["accuracy"],
        "run": phases[fit.kept].metrics["accuracy"],
        "loss": phases[fit.kept].metrics["loss"],
        "kept": fit.phases[fit.kept].phase.name,
        "head_loss": phases[0].metrics["loss"],
        "share": share_of(fit.phases[-1]),
        "tried": len(plan.names) if plan else 0,
        "seconds": time.perf_counter() - began,
    }


def share_of(phase: PhaseResult) -> str:
    """How far a fine-tune went, and how sure that it is better."""
    if phase.share is None:
        return "-"
    return f"{phase.share:g}, p {phase.gain['p_value']:.2f}"


def row(labels: int, strategy: str, runs: list[dict]) -> str:
    """A row of the table."""

    def mean(name: str) -> float:
        return statistics.mean(run[name] for run in runs)

    each = " ".join(f"{run['run']:.3f}" for run in runs)
    tuned = sum(run["kept"] != "head" for run in runs)
    shares = "; ".join(run["share"] for run in runs)
    losses = " ".join(
        f"{run['head_loss']:.3f} {run['loss']:.3f};" for run in runs
    )
    tried = " ".join(str(run["tried"]) for run in runs)
    return (
        f"| {labels} | {strategy} | {len(runs)} | {mean('head'):.3f} | "
        f"{mean('run'):.4f} ({each}) | {mean('loss'):.3f} ({losses}) | {tuned} "
        f"({shares}) | {tried} | "
        f"{statistics.median(run['seconds'] for run in runs):.0f} s |"
    )


def drawn(
    plain: TransferConfig, labels: int, seed: int, folder: pathlib.Path
) -> TransferConfig:
    """A run that has so many labels a class and no more."""
    if plain.dataset == DIGITS:
        val = max(1, round(labels / 4))
        return dataclasses.replace(
            plain, seed=seed, train_examples_per_class=labels - val,
            val_examples_per_class=val,
        )  # fmt: skip
    source = pathlib.Path(plain.dataset)
    data = draw(source, labels, seed, folder / "data")
    return dataclasses.replace(plain, dataset=str(data))


def main() -> None:
    """100 a class over seeds, then fewer over draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", required=True, help="folder of features")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--labels", type=int, nargs="*", default=[5])
    parser.add_argument(
        "--data", default="cats_vs_dogs",
        choices=(
            "cats_vs_dogs", DIGITS, "digits_on_mobilenet", "spoken_digits"
        ),
    )  # fmt: skip
    parser.add_argument(
        "--strategies", nargs="*", default=["fine_tune"],
        help="auto:4 tries four candidates, whatever time they take",
    )  # fmt: skip
    parser.add_argument("--budget_minutes", type=float)
    parser.add_argument(
        "--train_on_all", action=argparse.BooleanOptionalAction,
        help="the setting; by default the 200 pictures' own validation split "
        "is kept apart, and what a draw cuts off is not",
    )  # fmt: skip
    asked = parser.parse_args()
    describe_machine()
    plain = dataclasses.replace(
        settings(asked), feature_cache=asked.cache,
        train_on_all=asked.train_on_all,
    )  # fmt: skip
    print(
        "| labels a class | strategy | runs | frozen head | whole run (each) "
        "| loss (head's, run's) | fine-tune kept (shares) | candidates "
        "| median time |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)  # fmt: skip
    found: dict[tuple, list[dict]] = {}
    with tempfile.TemporaryDirectory() as name:
        for labels, strategy, config in runs_of(asked, plain, name):
            rows = found.setdefault((labels, strategy), [])
            tried = int(strategy.partition(":")[2] or 0)
            rows.append(measure(config, tried))
            if len(rows) == (asked.seeds if labels == 100 else asked.draws):
                print(row(labels, strategy, rows), flush=True)


def settings(asked: argparse.Namespace) -> TransferConfig:
    """All labels of a set, on the network that the benchmark takes for it."""
    if asked.data == DIGITS:
        return TransferConfig(dataset=DIGITS, backbone="letters_vgg")
    work, size = mobilenet(), {}
    data = str(work.data)
    if asked.data == "spoken_digits":
        data = str(spectra(pathlib.Path(asked.cache, "spectra")))
    if asked.data == "digits_on_mobilenet":
        data, size = DIGITS, {"image_size": 96}
    return TransferConfig(
        dataset=data, backbone=work.backbone, backbone_args="alpha=0.35",
        weights=work.weights, **size,
    )  # fmt: skip


def runs_of(
    asked: argparse.Namespace, plain: TransferConfig, root: str
) -> Iterator[tuple[int, str, TransferConfig]]:
    """Labels a class, strategy, and the run, the strategies side by side."""
    cases = [(100, seed) for seed in range(asked.seeds)]
    cases += [(n, seed) for n in asked.labels for seed in range(asked.draws)]
    for labels, seed in cases:
        folder = pathlib.Path(root, f"{labels}-{seed}")
        config = dataclasses.replace(plain, seed=seed)
        if labels != 100:
            config = drawn(plain, labels, seed, folder)
        for strategy in asked.strategies:
            minutes = asked.budget_minutes if strategy == "auto" else None
            word = strategy.partition(":")[0]
            yield labels, strategy, dataclasses.replace(
                config, strategy=word, budget_minutes=minutes,
                output_dir=str(folder / strategy.replace(":", "")),
            )  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
