"""What a run cost: memory, passes saved, sizes, speed; and how it is asked.

In: what was prepared, trained and exported. Out: plain numbers for
metrics.json, measured on this machine.
"""

import pathlib
import resource
import sys
import time

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tl_keras.compute.devices import peak_device_memory
from tl_keras.features import FeatureStore
from tl_keras.jobs.preparation import Prepared, served
from tl_keras.networks import answers_model, inference
from tl_keras.runs import RunFolder
from tl_keras.training import FitResult

ASKED = 20  # pictures that are asked one by one, for the median
SECONDS = 2.0  # but no longer than this, and at least 3 of them


def peak_memory() -> int:
    """Bytes that this process held at most."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts in bytes, Linux in units of 1,024.
    return most if sys.platform == "darwin" else 1024 * most


def measured(
    prepared: Prepared,
    fit: FitResult,
    store: FeatureStore | None,
    folder: RunFolder,
    shown: Prepared,
) -> dict:
    """What the trained model costs, and what its training did not.

    Args:
        prepared: the run.
        fit: what its phases gave.
        store: where activations were kept; None without one.
        folder: the run's, with model.keras in it.
        shown: the run with the model that is published.

    Returns:
        Plain numbers by name, for `cost` in metrics.json.
    """
    return {
        **waiting(fit),
        "trunk_passes": trunk_passes(prepared, fit, store),
        "model_bytes": file_bytes(folder.model),
        **speed(shown),
    }


def device_memory_numbers() -> dict[str, int]:
    """What a GPU's memory held at most; nothing without a GPU."""
    peak = peak_device_memory()
    return {} if peak is None else {"peak_device_memory_bytes": peak}


def waiting(fit: FitResult) -> dict[str, dict[str, float]]:
    """Phase -> share of its epochs' training that waited for data, 0 to 1."""
    shares = {
        result.phase.name: round(result.waiting, 4)
        for result in fit.phases
        if result.waiting is not None
    }
    return {"waiting_for_data": shares} if shares else {}


def trunk_passes(
    prepared: Prepared, fit: FitResult, store: FeatureStore | None
) -> dict[str, int]:
    """Pictures through frozen layers: needed, computed, and saved.

    Needed is what a plain fit does: every picture of training and validation
    in each epoch of a phase with a frozen trunk, and the test split once a
    phase. A solved head counts as one epoch. Computed are those that went
    through a trunk from their pixels, the rest was stored.

    Args:
        prepared: the run.
        fit: what its phases gave.
        store: where activations were kept; None computes all that is needed.

    Returns:
        `needed`, `computed` and `saved`, 0 or more.
    """
    labelled = prepared.labelled
    needed = 0
    for result in fit.phases:
        if result.phase.adapts_by().cut(prepared.model) is None:
            continue
        epochs = result.last_epoch - result.first_epoch + 1
        needed += epochs * (len(labelled.train) + len(labelled.val))
        needed += len(labelled.test)
    computed = needed if store is None else store.examples_computed
    return {
        "needed": needed,
        "computed": computed,
        # Views that are kept, and not all used in few epochs, cost more passes
        # than a plain fit.
        "saved": max(0, needed - computed),
    }


def speed(prepared: Prepared) -> dict[str, float]:
    """Seconds for one picture, from its file's bytes to answers, and
    pictures a second when they come in batches."""
    labelled, task = prepared.labelled.test, prepared.task
    run = inference(
        answers_model(served(prepared), task.activation, task.answer)
    )
    contents = [labelled.examples.read(i % len(labelled)) for i in range(ASKED)]
    batch = labelled.decoding.batch

    def answer(some) -> None:
        run(batch(some))

    answer(contents[:1])  # The first pass builds what the others use.
    seconds: list[float] = []
    while len(seconds) < ASKED and (len(seconds) < 3 or sum(seconds) < SECONDS):
        began = time.perf_counter()
        answer([contents[len(seconds)]])
        seconds.append(time.perf_counter() - began)
    answer(contents)
    began = time.perf_counter()
    answer(contents)
    together = time.perf_counter() - began
    return {
        **({"test_time_views": 2} if prepared.config.test_time_views else {}),
        "latency_seconds": round(float(np.median(seconds)), 6),
        "pictures_per_second": round(len(contents) / together, 3),
    }


def file_bytes(path: pathlib.Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def signatures(version: pathlib.Path) -> dict[str, dict]:
    """What an export can be asked: name -> inputs and outputs, in words."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((version / "saved_model.pb").read_bytes())
    return {
        name: {
            "inputs": {n: _tensor(t) for n, t in sorted(one.inputs.items())},
            "outputs": {n: _tensor(t) for n, t in sorted(one.outputs.items())},
        }
        for name, one in sorted(saved.meta_graphs[0].signature_def.items())
        if not name.startswith("__")
    }


def _tensor(info) -> str:
    """ "float32 (batch, 5)"."""
    sides = [
        str(side.size) if side.size >= 0 else "batch" if not place else "any"
        for place, side in enumerate(info.tensor_shape.dim)
    ]
    comma = "," if len(sides) == 1 else ""
    return f"{tf.as_dtype(info.dtype).name} ({', '.join(sides)}{comma})"
