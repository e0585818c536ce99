"""A person's `.keras` file -> a network of built-in layers, in float32.

    network = load_own_network("mine.keras")

In: a path; the file may come from anybody. Out: the model it describes, or one
line that names what hinders it. The description is read before Keras makes
anything of it: a Lambda is a program and is refused, a layer of somebody's own
is named unless it is registered, and whatever precision the network was saved
in, it is made in float32, so that `--precision` alone says what runs.
"""

import contextlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator

import keras

from tl_keras.errors import ConfigError
from tl_keras.networks import backbones

FLOATS = {
    "float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16",
}  # fmt: skip
# How it was trained: losses and metrics of somebody's own do no harm here.
COMPILED = "compile_config"
# Packages that Keras itself looks into, if they are installed.
OF_KERAS = ("keras", "keras_hub", "keras_cv", "keras_nlp", "builtins")
PROGRAMS = ("Lambda", "__lambda__")


def load_own_network(file: str, flag: str = "--backbone") -> keras.Model:
    """Loads a `.keras` file in Keras's safe mode, its precision left behind.

    Args:
        file: path, however it is named.
        flag: that names it, for messages.

    Raises:
        ConfigError: what it is instead, or which layer hinders it.
    """
    if fault := backbones.network_fault(flag, file):
        raise ConfigError(fault)
    given = f"{flag}={file}"
    try:
        config = backbones.config_of(file)
        _refuse_foreign(config, given)
        with _in_float32(file, config) as path:
            return keras.models.load_model(path, compile=False, safe_mode=True)
    except ConfigError:
        raise
    except Exception as error:  # Keras raises many kinds for a bad file.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise _not_readable(
            given,
            reason[:300],
            "build it of built-in layers and save it",
        ) from None


def _not_readable(given: str, reason: str, remedy: str) -> ConfigError:
    return ConfigError(
        f"{given}: not readable as a .keras file of built-in layers "
        f"({reason}) - {remedy}"
    )


def _refuse_foreign(config: dict, given: str) -> None:
    """Refuses what is a program, is unknown here, or is no floating point."""
    unknown = []
    for part in _parts(config):
        kind, name = part["class_name"], _name(part)
        if kind in PROGRAMS:
            raise _not_readable(
                given,
                f"layer {name} is a Lambda, a program that loading would run",
                "put a built-in layer in its place, such as Rescaling for "
                "scaled pixels, load the weights into that network, save it",
            )
        if kind.endswith("DTypePolicy") and "mode" in part["config"]:
            raise _not_readable(
                given,
                f"its layers are quantized, {part['config']['mode']}",
                "save the network as it was before model.quantize",
            )
        if _is_foreign(part):
            named = part.get("registered_name") or kind
            if keras.saving.get_registered_object(named) is None:
                unknown.append((name, named))
    if unknown:
        name, named = unknown[0]
        package = named.partition(">")[0] if ">" in named else "mine"
        more = len({each for _, each in unknown}) - 1
        others = f", and {more} more" if more else ""
        raise _not_readable(
            given,
            f"{name} is of {named}{others}, which Keras does not have",
            "put @keras.saving.register_keras_serializable(package="
            f"{package!r}) on its definition, import it in a script and call "
            "tl_keras.run there; or build the network from layers of Keras",
        )


def _parts(config) -> Iterator[dict]:
    """Each description of an object in a description."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield {"config": {}, **config}
        for key, value in config.items():
            if key != COMPILED:
                yield from _parts(value)
    elif isinstance(config, list):
        for value in config:
            yield from _parts(value)


def _name(part: dict) -> str:
    """What a person calls it."""
    config = part["config"]
    if isinstance(config, dict):
        return str(config.get("name") or part.get("name") or "a part of it")
    return f"function {config}" if isinstance(config, str) else "a part of it"


def _is_foreign(part: dict) -> bool:
    """Whether it is no object of Keras, by what the file says."""
    kind, named = part["class_name"], part.get("registered_name")
    if kind.startswith("__") or "module" not in part:
        return False  # a tensor, an array, a slice
    if kind == "function":
        return named not in (None, "function")
    module = part["module"]
    return module is None or module.partition(".")[0] not in OF_KERAS


@contextlib.contextmanager
def _in_float32(file: str, config: dict) -> Iterator[str]:
    """A path to the file, or to a copy of it whose layers are in float32."""
    plain = _without_precision(config)
    if plain == {k: v for k, v in config.items() if k != COMPILED}:
        with backbones.named_for_keras(file, backbones.NETWORK) as path:
            yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "network.keras")
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                if name == "config.json":
                    new.writestr(name, json.dumps(plain))
                else:
                    with (
                        old.open(name) as source,
                        new.open(name, "w", force_zip64=True) as target,
                    ):
                        shutil.copyfileobj(source, target)
        yield path


def _without_precision(config):
    """The same description, uncompiled, float32 for each other precision."""
    if isinstance(config, list):
        return [_without_precision(value) for value in config]
    if not isinstance(config, dict):
        return config
    changed = {
        k: _without_precision(v) for k, v in config.items() if k != COMPILED
    }
    if isinstance(dtype := changed.get("dtype"), str) and dtype in FLOATS:
        changed["dtype"] = "float32"
    if changed.get("class_name") == "DTypePolicy":
        policy = changed["config"]
        if policy.get("name") in FLOATS:
            changed["config"] = {**policy, "name": "float32"}
    return changed
