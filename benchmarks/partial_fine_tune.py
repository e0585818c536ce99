"""VGG16 from block5_conv1 on: all below is computed once, then kept."""

import tempfile

from benchmarks.head_phase import plain, stored
from benchmarks.material import vgg16
from benchmarks.rounds import compare, describe_machine, rounds_asked


def main() -> None:
    """10 and 30 epochs, in float32 and in what this machine does best."""
    rounds = rounds_asked(2)
    describe_machine()
    with tempfile.TemporaryDirectory() as folder:
        for epochs, reach, auto_reach in ((10, 3, 4.5), (30, 3.8, 6)):
            work = vgg16(
                folder, fine_tune_epochs=epochs, unfreeze_from="block5_conv1"
            )
            compare(
                f"fine-tune, VGG16 from block5_conv1, 64 pictures, {epochs} "
                "epochs",
                plain(work),
                {"ours, float32": (stored(work), reach),
                 "ours, auto": (stored(work, precision="auto"), auto_reach)},
                rounds=rounds,
            )  # fmt: skip
            rounds = max(1, rounds // 2)


if __name__ == "__main__":
    main()
