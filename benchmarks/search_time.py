"""Whole processes: `--strategy=auto` within its default budget beside the fixed
rule, on cats_vs_dogs, on scikit-learn's digits and on spoken digits' spectra.

    TL_KERAS_SHARED=FOLDER python -m benchmarks.search_time --rounds=3

A search may add a fifth to a run: "faster by" 0.83 and more. Of spoken digits
the frozen head is poor, and it may double it: 0.5.
"""

import pathlib
import tempfile

from benchmarks.material import spectra
from benchmarks.rounds import compare, describe_machine, rounds_asked
from benchmarks.whole_job import command, of_photographs

A_FIFTH_MORE, TWICE = 1 / 1.2, 1 / 2
DIGITS = [
    "--dataset=digits", "--backbone=letters_vgg",
    "--train_examples_per_class=15", "--val_examples_per_class=5",
]  # fmt: skip


def main() -> None:
    """One table a set."""
    rounds = rounds_asked(3)
    describe_machine()
    with tempfile.TemporaryDirectory() as folder:
        pictures = spectra(pathlib.Path(folder, "spectra"))
        _, *network = of_photographs()
        sets = {
            "cats_vs_dogs, MobileNetV2 0.35": (of_photographs(), A_FIFTH_MORE),
            "digits, 20 a class, letters_vgg": (DIGITS, A_FIFTH_MORE),
            "spoken digits, 32 a class, MobileNetV2 0.35": (
                [f"--dataset={pictures}", *network], TWICE,
            ),
        }  # fmt: skip
        for name, (flags, reach) in sets.items():
            compare(
                f"whole job, {name}",
                lambda f=flags: command(folder, *f, "--strategy=fine_tune"),
                {
                    "--strategy=auto": (
                        lambda f=flags: command(folder, *f, "--strategy=auto"),
                        reach,
                    )
                },
                rounds=rounds,
            )


if __name__ == "__main__":
    main()
