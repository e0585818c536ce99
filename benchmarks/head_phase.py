"""Ten epochs of a head on a frozen backbone, features computed once."""

import dataclasses
import tempfile
import time

from benchmarks import ours, plain_keras
from benchmarks.material import mobilenet, vgg16
from benchmarks.plain_keras import Work
from benchmarks.rounds import compare, describe_machine, rounds_asked


def plain(work: Work):
    """The peer's side, with the accuracy it reaches."""

    def train():
        model, data = plain_keras.train(work)
        return lambda: model.evaluate(data["test"], verbose=0)[1]

    return timed(train)


def stored(work: Work, **options):
    """Our side, on a store that is empty at first."""

    def train():
        with ours.empty_cache() as cache:
            model, images = ours.train(work, cache=cache, **options)
        return lambda: ours.accuracy(model, images)

    return timed(train)


def timed(side):
    """Seconds of the training alone, then the accuracy."""

    def run():
        began = time.perf_counter()
        accuracy = side()
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "test accuracy": accuracy()}

    return run


def main() -> None:
    """MobileNetV2 on real weights; VGG16 for time, in both precisions."""
    rounds = rounds_asked(3)
    describe_machine()
    work = mobilenet(head_epochs=10)
    compare(
        "head, MobileNetV2 0.35, 10 epochs",
        plain(work),
        {"ours, Adam": (stored(work), 7),
         "ours, solved exactly": (stored(work, solver="lbfgs"), 0)},
        rounds=rounds,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        heavy = dataclasses.replace(vgg16(folder), head_epochs=10)
        compare(
            "head, VGG16 random weights, 64 pictures, 10 epochs",
            plain(heavy),
            {"ours, float32": (stored(heavy), 8),
             "ours, auto": (stored(heavy, precision="auto"), 14)},
            rounds=rounds,
        )  # fmt: skip


if __name__ == "__main__":
    main()
