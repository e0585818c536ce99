"""Model -> a verified, versioned SavedModel for TensorFlow Serving.

    folder = export_saved_model(model, "saved_models/flowers",
                                class_names=["daisy", "rose"], golden=files)

In: a classifier and a few encoded pictures to check it with. Out:
`saved_models/flowers/<n>/`, complete or absent. Before it gets its number, the
export is loaded in fresh processes without Keras, through TensorFlow's C++
loader and its session loader, and asked the golden pictures; it must be the
model's function, whatever the device rounds (`gate`).
`assets.extra/manifest.json` then says what its files are, and
`inspect_export` looks a version over before anybody loads it.

Signatures, every output with the batch as its first axis:

| signature         | input         | gives                |
|-------------------|---------------|----------------------|
| `serving_default` | `image_bytes` | answers, `status`    |
| `serving_float`   | `pixels`      | answers              |
| `features`        | `image_bytes` | `features`, `status` |
| `classify`        | `inputs`      | `classes`, `scores`  |

`image_bytes` string (batch,): picture files' bytes. `pixels` float32 (batch,
size, size, 3), 0 to 255. `inputs` string (batch,): tf.Examples with the bytes
under `image/encoded`, as the server's Classify makes them.

Answers are those of the task. Of one class of several, which has no
`task.json` in `assets.extra/`: `probabilities` float32 (batch, num_classes) in
the order of labels.txt, and the best k = min(5, num_classes): `classes` string
(batch, k) and `scores` float32 (batch, k), best first. Of several labels the
same, and `labels` string (batch, labels), those above their thresholds, "" for
others. Of numbers `values` float32 (batch, columns), `columns`, their names,
and `low` and `high`, the interval that holds the truth in the share that was
asked for; no `classify`.

`features` is the pooled backbone output, float32 (batch, width), for search and
clustering. `status` string (batch,) is "" for a picture that was read; else it
says why it was not, and the row's numbers are 0 and its classes "". It is what
`pixels.status` says of the header ("too large: 50000 x 50000 pixels", "unknown
format", "empty file", "animated WebP", ...) or "does not decode" where the data
behind a good header is damaged. What training mended through Pillow
(`pixels.repair`) is told so too: the graph has no Pillow.
"""

import contextlib
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from tl_keras import atomic, progress, versions
from tl_keras.errors import NotPublishedError
from tl_keras.exports.encoded import Encoded
from tl_keras.exports.export import Export
from tl_keras.exports.extras import write_columns
from tl_keras.exports.formats import SAVED_MODEL, Source
from tl_keras.exports.fresh_process import BATCH, PREFIX
from tl_keras.exports.gate import GateReport, check_export
from tl_keras.exports.inspection import inspect_export
from tl_keras.exports.manifest import write_manifest
from tl_keras.exports.movement import Movement, measure
from tl_keras.exports.reference import Reference
from tl_keras.exports.signatures import TOP_K
from tl_keras.exports.split import Evaluated, SplitReport
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.inputs.input import Input
from tl_keras.keras_globals import standard_globals
from tl_keras.tasks import stored_task
from tl_keras.tasks.task import Task

# In `assets.extra/`, which the loader ignores.
RUN_ID_FILE = "run_id"
MAX_ID_BYTES = 1000

__all__ = [
    "BATCH",
    "PREFIX",
    "TOP_K",
    "Encoded",
    "Evaluated",
    "Export",
    "GateReport",
    "Movement",
    "Published",
    "Reference",
    "SplitReport",
    "export_saved_model",
    "inspect_export",
    "measure",
    "publish",
    "publish_next",
    "run_of",
]


class Published(NamedTuple):
    """A version, what the gate found of it, and what `accept` gave."""

    folder: pathlib.Path
    report: GateReport
    accepted: Any = None


@standard_globals()
def export_saved_model(
    model: keras.Model,
    directory: str | pathlib.Path,
    *,
    class_names: Sequence[str],
    golden: Sequence[bytes],
    decoding: Input | None = None,
    task: Task | None = None,
) -> pathlib.Path:
    """Exports, verifies and publishes the next version.

    Args:
        model: pixels (batch, size, size, 3), 0 to 255 -> logits, as
            `build_classifier` makes it.
        directory: the model's base path; versions are its integer children.
        class_names: in the order of the logits.
        golden: encoded pictures that the export is checked with; real ones.
        decoding: how a file's bytes become the model's square, as in
            training; the centre square when None.
        task: what is predicted; one class of several when None.

    Returns:
        The published folder, `directory/<largest version + 1>`.

    Raises:
        NotPublishedError: the export's answers are not the model's; nothing
            was published.
        ValueError: no golden pictures, or names that do not match the logits.

    Example:
        export_saved_model(
            model, "saved_models/flowers", class_names=images.class_names,
            golden=[open("rose.jpg", "rb").read()],
        )
    """
    named = {str(number): encoded for number, encoded in enumerate(golden)}
    return publish(
        model,
        directory,
        class_names=class_names,
        golden=named,
        decoding=decoding,
        task=task,
    ).folder


@standard_globals()
def publish(
    model: keras.Model,
    directory: str | pathlib.Path,
    *,
    class_names: Sequence[str],
    golden: Mapping[str, bytes],
    decoding: Input | None = None,
    task: Task | None = None,
    evaluated: Evaluated | None = None,
    run_id: str = "",
    columns: Sequence[str] = (),
    accept: Callable[[GateReport], Any] | None = None,
) -> Published:
    """`export_saved_model` that names its pictures and asks a whole split.

    Args:
        model, directory, class_names, decoding, task: as there.
        golden: name -> encoded picture.
        evaluated: examples that the export must answer as the evaluation did.
        run_id: written into the version. One that carries it already is asked
            again and given back, so that a process that was killed between
            publishing and saying so publishes once.
        columns: of a table that examples were read from, written into the
            version: who asks it of such a table reads the same.
        accept: called with what the gate found before there is a version;
            raises NotPublishedError if it shall not be one. What it gives is
            given on.

    Returns:
        The version's folder, what the gate found, and what `accept` gave.

    Raises:
        NotPublishedError: an answer is not the model's, or `accept` says no;
            nothing was published.
        ValueError: no golden pictures, or names that do not match the logits.
    """
    if not golden:
        raise ValueError("golden: expected at least one encoded picture")
    if len(class_names) != model.output_shape[-1]:
        raise ValueError(
            f"class_names: received {len(class_names)}, expected "
            f"{model.output_shape[-1]}, one a logit"
        )
    _refuse_non_finite(model)
    directory = pathlib.Path(directory)
    decoding = decoding or Decoding(model.input_shape[1])
    task = task or stored_task({})
    # They import TensorFlow, for seconds, while the export is written.
    with SAVED_MODEL.start() as asking:

        def check(folder: pathlib.Path) -> tuple[GateReport, Any]:
            report = check_export(
                folder, model, class_names, decoding, golden, task,
                evaluated, loaders=lambda: contextlib.nullcontext(asking),
            )  # fmt: skip
            return report, None if accept is None else accept(report)

        there = run_id and _version_of(directory, run_id)
        if there:
            return Published(there, *check(there))
        with atomic.building_folder(directory) as temporary:
            source = Source(model, class_names, decoding, task=task)
            with progress.doing("writing the SavedModel"):
                SAVED_MODEL.write(source, [SAVED_MODEL], temporary)
            if run_id:
                (temporary / "assets.extra" / RUN_ID_FILE).write_text(run_id)
            if columns:
                write_columns(temporary, columns)
            with progress.doing("verifying"):
                found = check(temporary)
            # Last, as it says what all files are.
            write_manifest(temporary)
            return Published(publish_next(temporary, directory), *found)


def publish_next(
    temporary: pathlib.Path, directory: pathlib.Path
) -> pathlib.Path:
    """fsync, then rename to the largest version + 1.

    Where another process took that number meanwhile, the next one is taken.
    """
    while True:
        final = directory / str(versions.next_version(directory))
        try:
            atomic.publish_folder(temporary, final)
        except OSError:
            if not final.exists():
                raise
            continue
        return final


def _version_of(directory: pathlib.Path, run_id: str) -> pathlib.Path | None:
    """The version that a run has published, if it has."""
    for version in versions.numbered(directory):
        if run_of(version) == run_id:
            return version
    return None


def run_of(version: pathlib.Path) -> str:
    """The id of the run that has published a version; "" if it has none."""
    file = version / "assets.extra" / RUN_ID_FILE
    # Of others' folders, which nobody has looked over: a pipe, or anything.
    if not file.is_file() or file.stat().st_size > MAX_ID_BYTES:
        return ""
    return file.read_text(errors="replace")


def _refuse_non_finite(model: keras.Model) -> None:
    for variable in model.variables:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise NotPublishedError(
                f"export not published: {variable.path} holds NaN or infinity"
            )
