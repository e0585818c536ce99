"""Whole processes: `--strategy=auto` within its default budget beside the fixed
rule, on cats_vs_dogs and on scikit-learn's digits.

    TL_KERAS_SHARED=FOLDER python -m benchmarks.search_time --rounds=3

A search may add a fifth to a run: "faster by" 0.83 and more.
"""

import tempfile

from benchmarks.rounds import compare, describe_machine, rounds_asked
from benchmarks.whole_job import command, of_photographs

A_FIFTH_MORE = 1 / 1.2
DIGITS = [
    "--dataset=digits", "--backbone=letters_vgg",
    "--train_examples_per_class=15", "--val_examples_per_class=5",
]  # fmt: skip


def main() -> None:
    """One table a set."""
    rounds = rounds_asked(3)
    describe_machine()
    sets = {
        "cats_vs_dogs, MobileNetV2 0.35": of_photographs(),
        "digits, 20 a class, letters_vgg": DIGITS,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, flags in sets.items():
            compare(
                f"whole job, {name}",
                lambda f=flags: command(folder, *f, "--strategy=fine_tune"),
                {
                    "--strategy=auto": (
                        lambda f=flags: command(folder, *f, "--strategy=auto"),
                        A_FIFTH_MORE,
                    )
                },
                rounds=rounds,
            )


if __name__ == "__main__":
    main()
