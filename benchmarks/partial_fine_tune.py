"""VGG16 from block5_conv1 on: all below is computed once, then kept."""

import tempfile

from benchmarks.head_phase import sides
from benchmarks.material import vgg16
from benchmarks.rounds import compare, describe_machine, rounds_asked


def main() -> None:
    """10 and 30 epochs, in float32 and in what this machine does best."""
    rounds = rounds_asked(2)
    describe_machine()
    reaches = {(10, "float32"): 3, (10, "auto"): 4.5,
               (30, "float32"): 3.8, (30, "auto"): 6}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for (epochs, precision), reach in reaches.items():
            work = vgg16(
                folder, fine_tune_epochs=epochs, unfreeze_from="block5_conv1"
            )
            compare(
                f"fine-tune, VGG16 from block5_conv1, 64 pictures, {epochs} "
                f"epochs, {precision}",
                *sides(work, precision=precision),
                rounds=rounds,
                reach=reach,
            )


if __name__ == "__main__":
    main()
