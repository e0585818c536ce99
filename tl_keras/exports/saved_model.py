"""Model -> the SavedModel, with what lies beside its graph.

In: a classifier, names, a decoding. Out: a folder that is complete but for its
manifest, which is written last of all.
"""

import pathlib
from collections.abc import Sequence

import keras

from tl_keras.exports.extras import write_extras, write_task
from tl_keras.exports.signatures import write_signatures
from tl_keras.inputs.input import Input
from tl_keras.tasks.task import Task


def write(
    model: keras.Model,
    folder: pathlib.Path,
    class_names: Sequence[str],
    decoding: Input,
    task: Task | None = None,
) -> None:
    """Writes the SavedModel, the warm-up and the files for people.

    Args:
        model: inputs -> outputs (b, n).
        folder: to write to; it becomes the SavedModel's.
        class_names: by output.
        decoding: how bytes become the model's inputs.
        task: what is predicted; one class of several when None.
    """
    write_signatures(model, folder, class_names, decoding, task)
    write_extras(folder, class_names, decoding)
    if task is not None:
        write_task(folder, task)
