"""Building one network: arguments, weights files, ImageNet downloads.

In: a name of the table, an image size, arguments of its constructor, and which
weights. Out: a Keras network without its top; or one line that says which file
is missing, where to put it, or what it is instead.
"""

import contextlib
import difflib
import hashlib
import inspect
import math
import os
import pathlib
import warnings
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tl_keras.errors import ConfigError, MachineError
from tl_keras.keras_globals import keras_home, standard_globals
from tl_keras.networks.backbones.file_kinds import (
    MEMBER,
    NETWORK,
    kind_of,
    named_for_keras,
    weights_fault,
)
from tl_keras.networks.backbones.table import BACKBONES, STD

if TYPE_CHECKING:
    import keras

# Where a file's weights are, if not in all of it.
GROUPS = ("model_weights", "layers", "_layer_checkpoint_dependencies")
# Constructor arguments that are ours, or that act only on the classifier.
_NOT_ARGUMENTS = frozenset({
    "include_top", "weights", "input_tensor", "input_shape", "pooling", "name",
    "classes", "classifier_activation", "include_preprocessing", "dropout",
    "dropout_rate",
})  # fmt: skip


@standard_globals()
def build_backbone(
    name: str,
    *,
    image_size: int,
    weights: str | os.PathLike | None,
    arguments: dict[str, object] | None = None,
) -> "keras.Model":
    """Builds a network without its classifier.

    Args:
        name: key of `BACKBONES`.
        image_size: side of its square input in pixels.
        weights: "imagenet", None (random), or the path of a weights file.
        arguments: of the constructor, such as {"alpha": 0.35}.

    Returns:
        A functional model: float32 (batch, image_size, image_size, 3), scaled
        as `BACKBONES[name].scaling` says -> features (batch, h, w, channels).
        EfficientNetB0 to B7 have the extra Rescaling of the ImageNet networks
        with a path too, if the file holds ImageNet's statistics.

    Raises:
        ConfigError: name, size, argument or file does not fit.
        MachineError: the ImageNet weights are not here and cannot be fetched,
            or another file is in their place; that one is left as it is.

    Example:
        build_backbone("MobileNetV2", image_size=96, weights=None)
    """
    file = None if weights in (None, "imagenet") else os.fspath(weights)
    _check_request(name, image_size, file)
    import keras

    constructor = getattr(keras.applications, name)
    parameters = inspect.signature(constructor).parameters
    options = _checked_arguments(name, parameters, arguments or {})
    # Keras makes names of files and of layers from this name, so it stays the
    # constructor's own; those without one would have the size in it.
    options["name"] = (parameters["name"].default or name).lower()
    options["input_shape"] = (image_size, image_size, 3)
    if weights == "imagenet":
        with _careful_downloads():
            return _construct(name, weights=weights, **options)
    network = _construct(name, weights=None, **options)
    if file is not None:
        load_weights(network, file)
        if name.startswith("EfficientNetB"):
            return _with_imagenet_rescaling(network, file)
    return network


def _check_request(name: str, image_size: int, file: str | None) -> None:
    """Checks what can be checked before TensorFlow is loaded."""
    if name not in BACKBONES:
        near = difflib.get_close_matches(name, BACKBONES, n=3, cutoff=0.4)
        raise ConfigError(
            f"--backbone={name}: expected a Keras application - near names: "
            f"{', '.join(near) or 'none'}; all: --list_backbones"
        )
    least = BACKBONES[name].least_size
    if image_size < least:
        raise ConfigError(
            f"--image_size={image_size}: expected at least {least} pixels for "
            f"{name} - or another --backbone"
        )
    if file is not None and not os.path.isfile(file):
        raise ConfigError(
            f"--weights={file}: no such file - expected imagenet, none or the "
            "path of a weights file"
        )


def _checked_arguments(name: str, parameters, given: dict) -> dict[str, object]:
    """The constructor arguments, each of its default's type."""
    accepted = {
        key: parameter.default
        for key, parameter in parameters.items()
        if key not in _NOT_ARGUMENTS
    }
    unknown = sorted(set(given) - set(accepted))
    if unknown:
        raise ConfigError(
            f"--backbone_args: {name} has no argument {', '.join(unknown)} - "
            f"it takes {', '.join(accepted) or 'none'}"
        )
    checked: dict[str, object] = {}
    for key, value in given.items():
        kind = type(accepted[key])
        # Keras looks a file up by str(alpha): 1 would not find that of 1.0.
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or not (
            kind is bool or 0 < value < math.inf
        ):
            expected = "true or false" if kind is bool else "a positive number"
            raise ConfigError(
                f"--backbone_args: {key}={value}: expected {expected} for "
                f"{name} - its default is {accepted[key]}"
            )
        checked[key] = value
    return checked


def _construct(application: str, /, **options) -> "keras.Model":
    import keras

    try:
        constructor = getattr(keras.applications, application)
        return constructor(include_top=False, **options)
    except ConfigError:
        raise
    except OSError as error:
        raise MachineError(
            f"--weights=imagenet: a file is not readable ({_one_line(error)}) "
            "- mend its rights, or give another: --weights=PATH"
        ) from None
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ConfigError(
            f"--backbone={application} --weights={options['weights']}: Keras "
            f"refuses them ({_one_line(error)}) - change --backbone_args or "
            "--image_size, or take --weights=none"
        ) from None


@contextlib.contextmanager
def _careful_downloads() -> Iterator[None]:
    """Makes Keras fetch files as ever, but replace and delete none.

    A file in the place of an official one whose hash is another is overwritten
    by Keras, and deleted when the download fails. Its names and hashes are
    known only inside the constructors, so what they call is exchanged.
    """
    from tl_keras.keras_internals import file_utils

    get_file = file_utils.get_file
    home = keras_home()

    def fetch(fname: str, origin: str, *, file_hash=None, **options) -> str:
        file = home / "models" / fname
        if file.exists():
            _check_official(file, file_hash)
            return str(file)
        try:
            return get_file(
                fname, origin, file_hash=file_hash, cache_dir=home, **options
            )
        except Exception as error:  # Keras raises plain Exceptions here.
            raise MachineError(
                f"--weights=imagenet: {fname} is not in {file.parent} and "
                f"cannot be fetched ({_one_line(error)}) - fetch it where "
                "there is a network and place it there, or give its path: "
                "--weights=PATH; these work without: --backbone=FILE.keras, "
                "--backbone=letters_vgg (small drawings), --weights=none "
                "(random ones)"
            ) from None

    file_utils.get_file = fetch
    try:
        yield
    finally:
        file_utils.get_file = get_file


def _check_official(file: pathlib.Path, file_hash: str | None) -> None:
    """Refuses a file that Keras would replace or could not read."""
    if file_hash is None:  # MobileNet and MobileNetV2 have none.
        _arrays_in_file(str(file))
        return
    algorithm = "sha256" if len(file_hash) == 64 else "md5"
    with open(file, "rb") as stream:
        found = hashlib.file_digest(stream, algorithm).hexdigest()
    if found != file_hash:
        raise MachineError(
            f"--weights=imagenet: {file} is not the official file ({algorithm} "
            f"{found}, expected {file_hash}) - move it away, or use it as it "
            f"is: --weights={file}"
        )


def load_weights(network: "keras.Model", file: str) -> None:
    """Loads a file that holds exactly the arrays of the network.

    Args:
        network: changed in place.
        file: any that `file_kinds` knows as weights, whatever its name; of a
            file that holds a model too, the weights alone are read.

    Raises:
        ConfigError: it is something else, or of another network.
    """
    found = _arrays_in_file(file)
    expected = [tuple(variable.shape) for variable in network.weights]
    sides = f"it holds {_size(found)}, {network.name} has {_size(expected)}"
    # Keras loads a file with more layers than the network without a word.
    reason = "" if sorted(found) == sorted(expected) else "shapes differ"
    if not reason:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with named_for_keras(file, kind_of(file).name) as path:
                    network.load_weights(path)
        except Exception as error:  # Keras raises many kinds for a bad file.
            reason = _one_line(error)
    if reason:
        raise ConfigError(
            f"--weights={file}: does not fit: {sides} ({reason}) - expected "
            "this network without classifier, with the same --backbone_args"
        )


def _arrays_in_file(file: str) -> list[tuple[int, ...]]:
    """Shapes of the weights in a file."""
    import h5py

    if fault := weights_fault(file):
        raise ConfigError(fault)
    shapes: list[tuple[int, ...]] = []

    def add(_, item) -> None:
        if isinstance(item, h5py.Dataset):
            shapes.append(tuple(item.shape))

    with contextlib.ExitStack() as stack:
        stream = file
        if kind_of(file).name == NETWORK:
            archive = stack.enter_context(zipfile.ZipFile(file))
            stream = stack.enter_context(archive.open(MEMBER))
        store = stack.enter_context(h5py.File(stream, "r"))
        # Beside these lie the optimizer's, which do not count.
        inner = [name for name in GROUPS if name in store]
        (store[inner[0]] if inner else store).visititems(add)
    return shapes


def _size(shapes: list[tuple[int, ...]]) -> str:
    total = sum(math.prod(shape) for shape in shapes)
    return f"{len(shapes)} arrays of {total:,} parameters"


def _with_imagenet_rescaling(network: "keras.Model", file: str):
    """The EfficientNet that Keras builds for weights="imagenet".

    That one divides by the root of the deviation once more, because it was
    trained so (tensorflow issue 49930). A network trained with weights=None
    has no such layer, nor ImageNet's mean in its Normalization.
    """
    import keras

    kind = keras.layers.Normalization
    normalization = next(x for x in network.layers if isinstance(x, kind))
    if not keras.ops.any(normalization.mean):
        return network
    rescaling = keras.layers.Rescaling(
        [1 / math.sqrt(std) for std in STD], name="imagenet_rescaling"
    )

    def call(layer, *args, **kwargs):
        output = layer(*args, **kwargs)
        return rescaling(output) if isinstance(layer, kind) else output

    rescaled = keras.models.clone_model(network, call_function=call)
    # Not set_weights: Normalization takes its constants in at loading only.
    load_weights(rescaled, file)
    return rescaled


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
