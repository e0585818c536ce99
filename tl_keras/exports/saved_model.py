"""Model -> the SavedModel, with what lies beside its graph.

In: a classifier, names, a decoding. Out: a folder that is complete but for its
manifest, which is written last of all.
"""

import pathlib
from collections.abc import Sequence

import keras

from tl_keras.exports.extras import write_extras
from tl_keras.exports.signatures import write_signatures
from tl_keras.inputs.input import Input


def write(
    model: keras.Model,
    folder: pathlib.Path,
    class_names: Sequence[str],
    decoding: Input,
) -> None:
    """Writes the SavedModel, the warm-up and the files for people.

    Args:
        model: inputs -> logits (b, num_classes).
        folder: to write to; it becomes the SavedModel's.
        class_names: by output.
        decoding: how bytes become the model's inputs.
    """
    write_signatures(model, folder, class_names, decoding)
    write_extras(folder, class_names, decoding)
