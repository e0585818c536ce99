"""Our side of `benchmarks.gpu`, a part a process.

    python -m benchmarks.gpu_ours steps --folder=FOLDER --jit=off

Prints lines of JSON that begin with RESULT.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import pathlib
import subprocess
import sys
import time

from benchmarks.gpu import MARK

PICTURES, REHEARSED = 2000, 48
SIZE = (500, 375)
ROUNDS = 3


def say(**numbers: float) -> None:
    """A line for whoever started this."""
    print(MARK + json.dumps(numbers), flush=True)


def pictures(folder: pathlib.Path, rehearse: bool) -> None:
    """Makes photographs of nothing, in two classes."""
    count = REHEARSED if rehearse else PICTURES
    files = [
        (
            folder
            / "pictures"
            / split
            / f"class{number % 2}"
            / f"{number}.jpg",
            number,
        )
        for split, some in (("train", count), ("val", 32), ("test", 32))
        for number in range(some)
    ]
    for file, _ in files:
        file.parent.mkdir(parents=True, exist_ok=True)
    with multiprocessing.Pool() as pool:
        pool.starmap(make_picture, files)


def make_picture(file: pathlib.Path, number: int) -> None:
    """One JPEG of 500 x 375."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(number)
    coarse = random.integers(0, 255, (8, 12, 3), np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize(SIZE, Image.BICUBIC))
    noise = random.integers(0, 14, (SIZE[1], SIZE[0], 1), np.uint8)
    picture = np.clip(image.astype(np.int16) + noise, 0, 255)
    Image.fromarray(picture.astype(np.uint8)).save(file, quality=85)


def quick_start(folder: pathlib.Path, rehearse: bool, device: str) -> None:
    """The command on a device; its seconds, and those of its stages."""
    device = "cpu" if rehearse else device
    out = folder / f"quick_{device}"
    command = [
        sys.executable, "-m", "tl_keras.train",
        "--flagfile=configs/quickstart.flags", f"--device={device}",
        f"--output_dir={out}", f"--feature_cache={out}_features",
    ]  # fmt: skip
    began = time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True,
        cwd=pathlib.Path(__file__).parent.parent,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    if done.returncode:
        print(done.stdout[-300:], done.stderr[-600:], flush=True)
        sys.exit(1)
    say(**{f"quick start, {device}, s": seconds})
    metrics = json.loads((out / "run" / "metrics.json").read_text())
    for stage, spent in metrics["seconds"].items():
        say(**{f"  {device}, {stage}, s": spent})


def device_of(rehearse: bool) -> str:
    """Sets TensorFlow up."""
    from tl_keras.compute.devices import choose_device

    return choose_device("cpu" if rehearse else "gpu")


def classic(backbone: str, rehearse: bool):
    """A network all of whose layers train, in bfloat16."""
    from tl_keras.networks import build_classifier

    classic = backbone == "VGG16"
    return build_classifier(
        "MobileNetV2" if rehearse else backbone, 2, weights="none",
        image_size=32 if rehearse else 224,
        pooling="flatten" if classic else "avg",
        head_units=((16,) if rehearse else (4096, 4096)) if classic else (),
        dropout=0.5, precision="float32" if rehearse else "mixed_bfloat16",
    )  # fmt: skip


def steps(folder: pathlib.Path, rehearse: bool, jit: str) -> None:
    """Milliseconds of a step alone, on rows that the device holds."""
    device, failed = device_of(rehearse), False
    for backbone, size in (("VGG16", 32), ("VGG16", 128), ("ResNet50", 32)):
        try:
            one_step(backbone, size, device, jit, rehearse)
        except Exception as error:  # The next one may do.
            failed = True
            print(f"{backbone} b{size}: {error!r}"[:300], flush=True)
    sys.exit(failed)


def one_step(
    backbone: str, size: int, device: str, jit: str, rehearse: bool
) -> None:
    """The first call, and the median of three rounds of 20."""
    import keras
    import numpy as np
    import tensorflow as tf

    from tl_keras.strategies import set_trainable, training_graph
    from tl_keras.training import Phase
    from tl_keras.training.steps import GPU_LOOKS, DeviceRows, Steps

    name = f"{backbone} b{size} step" + (", XLA" if jit == "on" else "")
    size = 4 if rehearse else size
    model = classic(backbone, rehearse)
    set_trainable(model, "all")
    fitting = training_graph(model)
    phase = Phase("all", 1, 1e-4, unfreeze_from="all")
    fitting.compile(
        phase.new_optimizer(loss_scaling=False, fused=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    fitting.optimizer.build(fitting.trainable_variables)
    side = model.input_shape[1]
    pixels = np.random.default_rng(0).integers(
        0, 255, (4 * size, side, side, 3), np.uint8
    )
    rows = DeviceRows(pixels, f"{device.upper()}:0")
    labels = tf.constant(np.arange(4 * size) % 2, tf.int32)
    batches = tf.data.Dataset.range(4 * size).batch(size).repeat()
    batches = batches.map(lambda i: (i, tf.gather(labels, i))).prefetch(4)
    run = Steps(
        fitting.train_step, jit=jit == "on", rows=rows, looks=GPU_LOOKS,
        gpu=device == "gpu",
    )  # fmt: skip
    iterator = iter(batches)
    began = time.perf_counter()
    run(iterator)
    say(**{f"  {name}, first, s": time.perf_counter() - began})
    count = GPU_LOOKS if rehearse else 2 * GPU_LOOKS
    for _ in range(count):
        run(iterator)
    done = fitting.optimizer.iterations
    seconds = []
    for _ in range(ROUNDS):
        done.numpy()  # Waits for the device.
        began = time.perf_counter()
        for _ in range(count):
            run(iterator)
        done.numpy()
        seconds.append((time.perf_counter() - began) / count)
    say(**{f"{name}, ms": 1000 * float(np.median(seconds))})


def epochs(folder: pathlib.Path, rehearse: bool) -> None:
    """VGG16, all layers, from files: each epoch, and how long it waited."""
    import keras

    from tl_keras.compute.devices import device_memory
    from tl_keras.sources import TensorMemory, TrainingBatches, load_images
    from tl_keras.training import Compute, Phase, fit_phases

    class Clock(keras.callbacks.Callback):
        seconds: list[float] = []  # noqa: RUF012

        def on_epoch_begin(self, epoch, logs=None):
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(time.perf_counter() - self.began)

    device = device_of(rehearse)
    model = classic("VGG16", rehearse)
    images = load_images(
        str(folder / "pictures"), image_size=model.input_shape[1]
    ).train
    phase = Phase("all", 4, 1e-4, unfreeze_from="all")
    clock, began = Clock(), time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        result = fit_phases(
            model, [phase],
            TrainingBatches(images, 32, memory=TensorMemory(4.0)),
            callbacks=[clock],
            compute=Compute(device, resident_bytes=device_memory() / 4),
            verbose=0,
        )  # fmt: skip
    every = clock.seconds
    say(**{
        "  all of it, decoding included, s": time.perf_counter() - began,
        "  first epoch, s": every[0],
        "epoch of files, s": sorted(every[1:])[1],
        "first epoch over second, s": every[0] - every[1],
        "waiting for data, %": 100 * result.phases[0].waiting,
    })  # fmt: skip


def trunk(folder: pathlib.Path, rehearse: bool) -> None:
    """Pictures a second through the frozen network, features on the host."""
    import numpy as np

    from tl_keras.features.passing import examples_at_once, through
    from tl_keras.networks import inference, set_precision
    from tl_keras.networks.backbones import build_backbone

    device_of(rehearse)
    network = build_backbone(
        "MobileNetV2" if rehearse else "VGG16",
        image_size=32 if rehearse else 224, weights=None,
    )  # fmt: skip
    set_precision(network, "float32" if rehearse else "mixed_bfloat16")
    run = inference(network, constant=True)
    size = examples_at_once(32)
    batch = np.random.default_rng(0).integers(
        0, 255, (size, *network.input_shape[1:]), np.uint8
    )
    began = time.perf_counter()
    run(batch)
    say(**{"  trunk, first batch, s": time.perf_counter() - began})
    rates = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in through(run, [batch] * (2 if rehearse else 20)):
            pass
        spent = time.perf_counter() - began
        rates.append((2 if rehearse else 20) * size / spent)
    say(**{"trunk, pictures/s": float(np.median(rates))})


def main() -> None:
    """The part that is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part")
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--jit", default="off")
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--rehearse", action="store_true")
    given = parser.parse_args()
    takes = {"steps": "jit", "quick_start": "device"}
    more = {
        name: getattr(given, name)
        for part, name in takes.items()
        if part == given.part
    }
    known = {f.__name__: f for f in (
        pictures, quick_start, steps, epochs, trunk
    )}  # fmt: skip
    known[given.part](given.folder, given.rehearse, **more)


if __name__ == "__main__":
    main()
