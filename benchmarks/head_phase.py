"""Ten epochs of a head on a frozen backbone, features computed once."""

import dataclasses
import tempfile

from benchmarks import ours, plain_keras
from benchmarks.material import mobilenet, vgg16
from benchmarks.plain_keras import Work
from benchmarks.rounds import compare, describe_machine, rounds_asked


def sides(work: Work, **options):
    """(peer, ours), each with the accuracy it reaches."""

    def peer():
        model, data = plain_keras.train(work)
        return lambda: model.evaluate(data["test"], verbose=0)[1]

    def stored():
        with ours.empty_cache() as cache:
            model, images = ours.train(work, cache=cache, **options)
        return lambda: ours.accuracy(model, images)

    return timed(peer), timed(stored)


def timed(side):
    """Seconds of the training alone, then the accuracy."""
    import time

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
    compare("head, MobileNetV2 0.35, 10 epochs, Adam", *sides(work),
            rounds=rounds, reach=7)  # fmt: skip
    compare("the same, ours solved exactly", *sides(work, solver="lbfgs"),
            rounds=rounds)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        heavy = dataclasses.replace(vgg16(folder), head_epochs=10)
        for precision, reach in (("float32", 8), ("auto", 14)):
            compare(
                f"head, VGG16 random weights, 64 pictures, {precision}",
                *sides(heavy, precision=precision),
                rounds=rounds,
                reach=reach,
            )


if __name__ == "__main__":
    main()
