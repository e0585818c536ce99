"""The next run on the same pictures, with another head: no trunk pass."""

import dataclasses
import tempfile

from benchmarks import ours
from benchmarks.head_phase import plain, timed
from benchmarks.material import vgg16
from benchmarks.rounds import compare, describe_machine, rounds_asked


def main() -> None:
    """A fine-tune from block5_conv1 fills the store; then another head."""
    rounds = rounds_asked(3)
    describe_machine()
    with tempfile.TemporaryDirectory() as folder:
        first = vgg16(
            folder, head_epochs=10, fine_tune_epochs=1,
            unfreeze_from="block5_conv1",
        )  # fmt: skip
        another = dataclasses.replace(
            first, head_units=(64,), fine_tune_epochs=0
        )
        with ours.empty_cache() as cache:
            ours.train(first, cache=cache)

            def again():
                model, images = ours.train(another, cache=cache)
                return lambda: ours.accuracy(model, images)

            compare(
                "second run, VGG16, another head, 10 epochs",
                plain(another),
                {"ours": (timed(again), 15)},
                rounds=rounds,
            )


if __name__ == "__main__":
    main()
