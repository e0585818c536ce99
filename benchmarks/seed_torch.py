"""The hand-written PyTorch loop of the document, for time alone.

VGG16 (random weights), a 4096-4096-2 classifier, all layers train with Adam
at 1e-3, batches of 32; against the same recipe by our pieces
(configs/vgg16_classic.flags). It needs the extra `bench` (torch).
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from benchmarks import ours
from benchmarks.material import vgg16
from benchmarks.rounds import compare, describe_machine, rounds_asked
from tl_keras.sources import load_images

EPOCHS = 2


def write_batches(work, file: pathlib.Path) -> None:
    """The training pictures as PyTorch takes them: (b, 3, side, side)."""
    images = load_images(str(work.data), image_size=work.image_size).train
    arrays = {}
    for i, (x, y) in enumerate(images.batches(32)):
        scaled = (x.numpy() / 255).transpose(0, 3, 1, 2)
        arrays[f"x{i}"] = scaled.astype(np.float32)
        arrays[f"y{i}"] = y.numpy().astype(np.int64)
    np.savez(file, **arrays)


def torch_loop(file: pathlib.Path) -> dict:
    """The peer, in a process of its own; the seconds are its loop's."""
    command = [sys.executable, "-m", "benchmarks.torch_loop", str(file)]
    done = subprocess.run(
        [*command, str(EPOCHS)], capture_output=True, text=True, check=True
    )
    version, seconds = done.stdout.split()
    print(f"torch {version}: {float(seconds):.1f} s", flush=True)
    return {"seconds": float(seconds)}


def main() -> None:
    """Two epochs of 64 pictures each."""
    rounds = rounds_asked(2)
    describe_machine()
    with tempfile.TemporaryDirectory() as folder:
        work = vgg16(folder, fine_tune_epochs=EPOCHS)
        batches = pathlib.Path(folder, "batches.npz")
        write_batches(work, batches)
        compare(
            "VGG16, everything trains, 64 pictures, 2 epochs",
            lambda: torch_loop(batches),
            {"ours": (lambda: {"seconds": ours.classic_seconds(work)}, 0)},
            rounds=rounds,
        )


if __name__ == "__main__":
    main()
