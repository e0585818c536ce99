"""Where what a command writes would spoil what it reads. No TensorFlow.

    yield from place_faults("pets/out", {"dataset": "pets"})

In: an output folder, and the folders that are read. Out: its faults. A folder
of classes takes what lies in it for a class of pictures or texts, and the
files of a version are those of its manifest and no others.
"""

import fnmatch
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tl_keras.config.settings import Fault
from tl_keras.runs import RunFolder
from tl_keras.versions import GRAPH

if TYPE_CHECKING:
    from tl_keras.config.data import DataConfig

FORMS = ("pb", "pbtxt", "cpb")  # of a graph


def place_faults(
    output: str | os.PathLike,
    inputs: Mapping[str, str],
    exclude: str = "",
    *,
    holds_runs: bool = False,
) -> Iterator[Fault]:
    """Why nothing should be written to an output folder.

    Args:
        output: the folder; "" writes nothing.
        inputs: setting -> the folder that it names; what is none is no fault
            of this.
        exclude: patterns of what is not read of them, commas between.
        holds_runs: whether a run is made in the folder, so that an earlier one
            in it is none of its business, but the run's own folder is.

    Returns:
        The faults; nothing where it is a place of its own.
    """
    output = os.fspath(output)
    if not output:
        return
    inside = list(input_faults("output_dir", output, inputs, exclude))
    if inside:
        yield from inside
        return
    if version := _version_around(output):
        yield Fault(
            ("output_dir",),
            f"--output_dir={output}: lies in {version}, a version, whose files "
            "its manifest names one by one - give another folder",
        )
    elif RunFolder(pathlib.Path(output)).is_trainings:
        remedy = "give another"
        if holds_runs:
            parent = os.path.dirname(output.rstrip("/")) or "."
            remedy = f"give the one that holds it, {parent}, or another"
        yield Fault(
            ("output_dir",),
            f"--output_dir={output}: a training run's own folder, whose "
            f"numbers would be lost - {remedy}",
        )


def input_faults(
    flag: str, output: str, inputs: Mapping[str, str], exclude: str = ""
) -> Iterator[Fault]:
    """That a folder which is written to lies in one that is read.

    Args:
        flag: the setting that names it.
        output: the folder.
        inputs, exclude: as of `place_faults`.

    Returns:
        One fault at most.
    """
    for name, folder in inputs.items():
        inside = _path_in(output, folder)
        if inside is not None and not _is_left_out(inside, exclude):
            yield Fault(
                (flag, name),
                f"--{flag}={output}: expected a folder outside --{name} - "
                "what is written there would be its input; give another "
                f"--{flag}",
            )
            return


def folders_read(config: "DataConfig") -> dict[str, str]:
    """Setting -> a folder whose folders are classes, of a run or a check."""
    names = ("dataset", "val_dataset", "test_dataset", "unlabelled")
    paths = {name: getattr(config, name, "") for name in names}
    return {name: path for name, path in paths.items() if path != "digits"}


def _path_in(inner: str, outer: str) -> str | None:
    """The path of one folder in another; None where it lies elsewhere."""
    if not os.path.isdir(outer):
        return None
    # A link may lead into it; and pets2 does not lie in pets.
    path = os.path.relpath(os.path.realpath(inner), os.path.realpath(outer))
    outside = path == os.pardir or path.startswith(os.path.join(os.pardir, ""))
    return None if outside else path


def _is_left_out(path: str, exclude: str) -> bool:
    """Whether a folder in a dataset is none of its classes' anyway."""
    parts = path.split(os.sep)
    if path != os.curdir and any(part.startswith(".") for part in parts):
        return True
    ways = [os.sep.join(parts[: i + 1]) for i in range(len(parts))]
    return any(
        fnmatch.fnmatchcase(name, pattern.strip().strip("/"))
        for pattern in exclude.split(",")
        for name in (ways if "/" in pattern else parts)
    )


def _version_around(folder: str) -> str:
    """The version that a folder is, or lies in; "" for none."""
    place = pathlib.Path(os.path.realpath(folder))
    for around in (place, *place.parents):
        if any(os.path.exists(around / f"{GRAPH}{form}") for form in FORMS):
            return os.fspath(around)
    return ""
