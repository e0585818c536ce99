"""What it costs that nothing is lost: the share of a fit that saving takes.

VGG16 from block5_conv1 on, activations stored before, so that epochs are as
short as they get; and all of VGG16, whose saves are the largest.
"""

import contextlib
import io
import tempfile
import time

import keras

from benchmarks import ours
from benchmarks.material import vgg16
from benchmarks.rounds import describe_machine, rounds_asked, spread
from tl_keras.checkpoints import Checkpoints
from tl_keras.features import FeatureStore
from tl_keras.networks import build_classifier
from tl_keras.sources import FixedBatches, TrainingBatches, load_images
from tl_keras.training import Phase, PhaseBackups, fit_phases


class Timed:
    """Counts the seconds and the number of saves while it is in force."""

    def __enter__(self):
        self.seconds, self.saves, self.real = 0.0, 0, Checkpoints.save

        def save(kept, arrays, state):
            began = time.perf_counter()
            self.real(kept, arrays, state)
            self.seconds += time.perf_counter() - began
            self.saves += 1

        Checkpoints.save = save
        return self

    def __exit__(self, *_):
        Checkpoints.save = self.real


def share(folder: str, unfreeze_from: str, epochs: int, cache: str) -> float:
    """Of a phase's seconds, what its saves took."""
    keras.utils.set_random_seed(0)
    work = vgg16(folder)
    images = load_images(str(work.data), image_size=224)
    model = build_classifier("VGG16", 2, weights="none")
    phase = Phase("fine_tune", epochs, 1e-4, unfreeze_from=unfreeze_from)
    store = None if unfreeze_from == "all" else FeatureStore(cache)
    with (
        tempfile.TemporaryDirectory() as saves,
        contextlib.redirect_stdout(io.StringIO()),
        Timed() as timed,
    ):
        result = fit_phases(
            model, [phase], TrainingBatches(images.train, 32),
            FixedBatches(images.val, 32), features=store,
            backups=PhaseBackups(saves), verbose=0,
        )  # fmt: skip
    seconds = result.phases[0].seconds
    print(
        f"  {unfreeze_from}: {timed.saves} saves in {timed.seconds:.2f} s of "
        f"{seconds:.1f} s",
        flush=True,
    )
    return timed.seconds / seconds


def main() -> None:
    """The share at the default, over some rounds."""
    rounds = rounds_asked(2)
    describe_machine()
    with tempfile.TemporaryDirectory() as folder, ours.empty_cache() as cache:
        for unfreeze_from, epochs in (("block5_conv1", 20), ("all", 4)):
            share(folder, unfreeze_from, 1, cache)  # Fills the store.
            found = [
                share(folder, unfreeze_from, epochs, cache)
                for _ in range(rounds)
            ]
            print(f"saving, {unfreeze_from}, share of a fit: {spread(found)}")


if __name__ == "__main__":
    main()
