"""What stored augmented views cost and give: accuracy, seconds, disk.

The seconds are those of training, activations included; the first run finds
nothing kept.

cats_vs_dogs, MobileNetV2 0.35, defaults, so many views of each training
picture, over several seeds; the last row makes fresh views each epoch.
"""

import contextlib
import dataclasses
import io
import pathlib
import statistics
import tempfile
import time

from benchmarks.material import mobilenet
from benchmarks.rounds import describe_machine, rounds_asked
from tl_keras import TransferConfig
from tl_keras.features.shards import folder_bytes
from tl_keras.jobs.judging import evaluate_phases
from tl_keras.jobs.preparation import prepare
from tl_keras.jobs.training import feature_store, train
from tl_keras.runs import RunFolder

AUGMENT = "flip_crop"


def measure(config: TransferConfig, seeds: int) -> str:
    """One row: test accuracy of each seed, seconds of training, megabytes."""
    accuracies, losses, seconds = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        cache = pathlib.Path(folder, "features")
        off = config.feature_cache == "off"
        for seed in range(seeds):
            changed = dataclasses.replace(
                config,
                seed=seed,
                output_dir=f"{folder}/out{seed}",
                feature_cache="off" if off else str(cache),
            )
            with contextlib.redirect_stdout(io.StringIO()):
                prepared = prepare(changed)
                store = feature_store(changed)
                began = time.perf_counter()
                fit = train(prepared, RunFolder.of(changed.run_folder()), store)
                seconds.append(time.perf_counter() - began)
                kept = evaluate_phases(prepared, fit, store)[fit.kept]
            accuracies.append(kept.metrics["accuracy"])
            losses.append(kept.metrics["loss"])
        megabytes = folder_bytes(cache) / 1e6
    each = " ".join(f"{a:.3f}" for a in accuracies)
    return (
        f"accuracy {statistics.mean(accuracies):.3f} ({each}), loss "
        f"{statistics.mean(losses):.3f}, first run {seconds[0]:.0f} s, next "
        f"{seconds[-1]:.0f} s, {megabytes:.0f} MB kept"
    )


def main() -> None:
    """None, then 1 to 8 views, then fresh ones."""
    seeds = rounds_asked(3)
    describe_machine()
    work = mobilenet()
    plain = TransferConfig(
        dataset=str(work.data), backbone=work.backbone,
        backbone_args="alpha=0.35", weights=work.weights,
    )  # fmt: skip
    print("no augmentation:", measure(plain, seeds), flush=True)
    for views in (1, 2, 4, 8):
        config = dataclasses.replace(
            plain, augment=AUGMENT, augment_views=views
        )
        row = measure(config, seeds)
        print(f"{AUGMENT}, {views} views kept:", row, flush=True)
    fresh = dataclasses.replace(plain, augment=AUGMENT, feature_cache="off")
    print(f"{AUGMENT}, fresh each epoch:", measure(fresh, seeds), flush=True)


if __name__ == "__main__":
    main()
