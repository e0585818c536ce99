"""What each choice of a fine-tune does, on stored features of real photographs.

    TL_KERAS_SHARED=FOLDER python -m benchmarks.strategies --cache=FOLDER

cats_vs_dogs, MobileNetV2 0.35, 100 labels a class. For each seed the head is
solved once; every choice then begins from there, and fine-tunes from
`--unfreeze_from` on. A row tells the test accuracy and cross-entropy (after a
temperature from validation) of the fine-tune's best epoch alone, without the
interpolation that a run does, so that what the choice did is seen; and how
often validation would have kept it over the head.
"""

import argparse
import contextlib
import dataclasses
import io
import statistics
import tempfile
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.material import mobilenet
from benchmarks.rounds import describe_machine
from tl_keras import TransferConfig
from tl_keras.jobs.preparation import Prepared, prepare
from tl_keras.jobs.training import feature_store, training_data
from tl_keras.networks import inference, mirrored
from tl_keras.sources import FixedBatches
from tl_keras.strategies import LoRA, unfreezing_stages
from tl_keras.tasks.multiclass.calibration import (
    example_losses,
    fit_temperature,
)
from tl_keras.training import (
    FitResult,
    FrozenWork,
    Objective,
    Phase,
    fit_phases,
    gradual,
    set_variables,
)

NAMES = ("label_smoothing", "augment", "views", "test_time_views")


def choices(asked: argparse.Namespace) -> dict[str, dict]:
    """Row -> what differs from the plain fine-tune."""
    lora = LoRA(8, unfreeze_from=asked.unfreeze_from)
    return {
        "plain": {},
        "LoRA, rank 8": {"strategy": lora, "unfreeze_from": "none"},
        "gradual, 2 phases": {"stages": 2},
        "layer_decay 0.8": {"layer_decay": 0.8},
        "l2_sp 1": {"l2_sp": 1.0},
        "ema_momentum 0.9": {"ema_momentum": 0.9},
        "sam_rho 0.05": {"sam_rho": 0.05},
        "mixup 0.2 at the cut": {"mixup": 0.2},
        "cutmix 1 at the cut": {"cutmix": 1.0},
        "label_smoothing 0.1": {"label_smoothing": 0.1},
        "flips at the cut": {"augment": "flip", "views": 2},
        "RandAugment, 4 views": {"augment": "rand", "views": 4},
        "test_time_views": {"test_time_views": True},
    }


@dataclasses.dataclass
class Start:
    """A run with its head solved, from which every choice begins.

    Attributes:
        prepared: the run.
        store: of its features.
        head: what solving it gave.
    """

    prepared: Prepared
    store: object
    head: FitResult

    @classmethod
    def of(cls, config: TransferConfig) -> "Start":
        """Solves the head of a configuration."""
        prepared, store = prepare(config), feature_store(config)
        train, val = training_data(prepared)
        phases = [Phase("head", 1, 1e-3, solver="lbfgs")]
        head = fit_phases(
            prepared.model, phases, train, val, features=store, verbose=0
        )
        return cls(prepared, store, head)

    def tuned(self, asked: argparse.Namespace, choice: dict) -> dict:
        """One fine-tune from the head, with a choice, and what it scores."""
        model = self.prepared.model
        set_variables(model, self.head.phases[0].best_variables)
        train, val = training_data(self.prepared)
        options = dict(choice)
        of_run = {n: options.pop(n) for n in NAMES if n in options}
        if "augment" in of_run:
            train = dataclasses.replace(
                train, augment=of_run["augment"], views=of_run["views"]
            )
        stages = options.pop("stages", 1)
        phase = Phase(
            "tune", asked.epochs, asked.learning_rate,
            **{"unfreeze_from": asked.unfreeze_from,
               "seed": self.prepared.config.seed, **options},
        )  # fmt: skip
        phases = [phase]
        if stages > 1:
            named = unfreezing_stages(model, asked.unfreeze_from, stages)
            phases = gradual(phase, named)
        objective = Objective(
            label_smoothing=of_run.get("label_smoothing", 0.0),
            interpolate=False,
        )
        began = time.perf_counter()
        fit = fit_phases(
            model, phases, train, val, features=self.store,
            objective=objective, verbose=0,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        last = fit.phases[-1]
        set_variables(model, last.best_variables)
        column = objective.monitored()[0]
        kept = last.best_logs[column] < self.head.phases[0].best_logs[column]
        twice = of_run.get("test_time_views", False)
        return {
            **self.scores(phases, twice), "kept": kept, "seconds": seconds,
        }  # fmt: skip

    def scores(self, phases: list[Phase], twice: bool = False) -> dict:
        """Accuracy and loss of the test split, with the weights as they are.

        Args:
            phases: the last of them says where the graph is cut.
            twice: of pictures and their mirror images.
        """
        images, model = self.prepared.labelled, self.prepared.model
        frozen = FrozenWork(model, phases, self.store)
        found = []
        for split in (images.val, images.test):
            data = FixedBatches(split, self.prepared.config.batch_size)
            left, batches = frozen.for_evaluation(phases[-1], data)
            if twice:
                left, batches = mirrored(model), data()
            run = inference(left)
            pairs = [(run(x), y.numpy()) for x, y in batches]
            found.append([np.concatenate(part) for part in zip(*pairs)])  # noqa: B905
        (val, val_labels), (test, labels) = found
        test = test.astype(np.float64) / fit_temperature(val, val_labels)
        return {
            "accuracy": float((test.argmax(-1) == labels).mean()),
            "loss": float(example_losses(test, labels).mean()),
        }


def row(name: str, runs: list[dict]) -> str:
    """A row of the table: means, and the accuracy of each seed."""
    each = " ".join(f"{run['accuracy']:.3f}" for run in runs)
    accuracy, loss = (
        statistics.mean(run[key] for run in runs)
        for key in ("accuracy", "loss")
    )
    kept = sum(run.get("kept", True) for run in runs)
    seconds = statistics.median(run.get("seconds", 0.0) for run in runs)
    return (
        f"| {name} | {accuracy:.3f} ({each}) | {loss:.3f} | {kept} of "
        f"{len(runs)} | {seconds:.1f} s |"
    )


def starts(asked: argparse.Namespace, root: str) -> Iterator[Start]:
    """One for each seed."""
    work = mobilenet()
    for seed in range(asked.seeds):
        config = TransferConfig(
            dataset=str(work.data), backbone=work.backbone, seed=seed,
            backbone_args="alpha=0.35", weights=work.weights,
            feature_cache=asked.cache, output_dir=f"{root}/{seed}",
            precision="float32",
        )  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):
            start = Start.of(config)
        yield start


def main() -> None:
    """All choices from each seed's head, then the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", required=True, help="folder of features")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning_rate", type=float, default=1e-3)
    parser.add_argument("--unfreeze_from", default="block_13_expand")
    asked = parser.parse_args()
    describe_machine()
    rows: dict[str, list[dict]] = {"the head alone": []}
    with tempfile.TemporaryDirectory() as root:
        for start in starts(asked, root):
            head = start.head.phases[0]
            alone = start.scores([head.phase]) | {"seconds": head.seconds}
            rows["the head alone"].append(alone)
            for name, choice in choices(asked).items():
                with contextlib.redirect_stdout(io.StringIO()):
                    found = start.tuned(asked, choice)
                rows.setdefault(name, []).append(found)
                print(f"{name}: {found}", flush=True)
    print("| choice | test accuracy (each seed) | cross-entropy | better than "
          "the head on validation | median time |")  # fmt: skip
    print("|---|---|---|---|---|")
    for name, runs in rows.items():
        print(row(name, runs))


if __name__ == "__main__":
    main()
