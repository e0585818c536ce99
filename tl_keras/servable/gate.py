"""An export is asked before it is published, in a process of its own.

In: an export's folder, pictures as bytes and as pixels, and the model's
answers. Out: nothing, or NotPublishedError that says which answer differs.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import numpy as np

from tl_keras.errors import NotPublishedError

# Largest difference of a probability between the model and its export.
TOLERANCE = 1e-5
SECONDS = 600
PROBE = pathlib.Path(__file__).with_name("probe.py")


def check_export(
    folder: pathlib.Path,
    encoded: Sequence[bytes],
    pictures: np.ndarray,
    expected: np.ndarray,
    tolerance: float = TOLERANCE,
) -> float:
    """Loads an export in a fresh process without Keras and compares.

    Args:
        folder: the SavedModel.
        encoded: n picture files' bytes.
        pictures: the same, uint8 (n, size, size, 3).
        expected: the model's probabilities for them, (n, num_classes).
        tolerance: the largest difference that passes.

    Returns:
        The largest difference found.

    Raises:
        NotPublishedError: it does not load, or an answer differs.
    """
    worst = 0.0
    for signature, answers in _ask(folder, encoded, pictures).items():
        if answers.shape != expected.shape:
            raise NotPublishedError(
                f"export not published: {signature} gives probabilities of "
                f"shape {answers.shape}, the model {expected.shape}"
            )
        difference = np.abs(answers - expected).max(axis=-1)
        # A NaN would compare as "not larger" and pass.
        difference = np.nan_to_num(difference, nan=np.inf)
        if difference.max() > tolerance:
            raise NotPublishedError(
                f"export not published: {signature} differs from the model "
                f"by {difference.max():.2g} for golden picture "
                f"{difference.argmax()}; allowed is {tolerance:g}"
            )
        worst = max(worst, float(difference.max()))
    return worst


def _ask(
    folder: pathlib.Path, encoded: Sequence[bytes], pictures: np.ndarray
) -> dict[str, np.ndarray]:
    """Signature -> probabilities, as a fresh process computes them."""
    with tempfile.TemporaryDirectory() as scratch:
        questions = pathlib.Path(scratch, "questions.npz")
        answers = pathlib.Path(scratch, "answers.npz")
        sizes = [len(e) for e in encoded]
        np.savez(
            questions,
            data=np.frombuffer(b"".join(encoded), np.uint8),
            sizes=sizes,
            pixels=pictures,
        )
        # -I keeps PYTHON* variables out of it; our own places of packages go
        # in by name, for those that came by such a variable.
        places = json.dumps([place for place in sys.path if place])
        command = [sys.executable, "-I", str(PROBE), str(folder),
                   str(questions), str(answers), places]  # fmt: skip
        try:
            child = subprocess.run(
                command, capture_output=True, text=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            raise NotPublishedError(
                f"export not published: it gave no answer within {SECONDS} s"
            ) from None
        if child.returncode != 0 or not answers.exists():
            lines = child.stderr.strip().splitlines() or ["no message"]
            raise NotPublishedError(
                "export not published: a fresh process cannot load and run "
                f"it (exit code {child.returncode}): {json.dumps(lines[-1])}"
            )
        with np.load(answers) as arrays:
            return {name: arrays[name] for name in arrays.files}
