"""The settings about what is made of a trained model. No TensorFlow.

In: values, as everywhere in `tl_keras.config`. Out: the part of a
`TransferConfig` that says which files are made, and when a version is not good
enough to be published.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator

from tl_keras.config.paths import output_folder
from tl_keras.config.settings import Fault, Settings, setting

EXPORT = "Export"


@dataclasses.dataclass(frozen=True)
class ExportConfig(Settings):
    """What is made of the model, and what stops it from being published."""

    export: tuple[str, ...] = setting(
        ("saved_model",),
        "what is made of the model: the SavedModel always, and for other "
        "runtimes tflite (LiteRT) and onnx, in run/exports/, each checked on "
        "the test split",
        group=EXPORT,
        choices=("saved_model", "tflite", "onnx"),
    )
    tflite_precision: tuple[str, ...] = setting(
        ("float32",),
        "one file for each, where --export names tflite; int8 is quantized by "
        "pictures drawn from the training split",
        group=EXPORT,
        choices=("float32", "float16", "int8"),
    )
    min_accuracy: float | None = setting(
        None,
        "publish no version with a lower accuracy on the test split",
        group=EXPORT,
        low=0,
        high=1,
    )
    not_worse_than: str = setting(
        "",
        "an earlier version, or an output folder for its newest one: it is "
        "asked the same test pictures, and a new version that has fewer of "
        "them right is not published",
        group=EXPORT,
        path=True,
    )

    def export_faults(self) -> Iterator[Fault]:
        """What is wrong with these values together."""
        if "saved_model" not in self.export:
            yield Fault(
                ("export",),
                f"--export={','.join(self.export)}: expected saved_model among "
                "them, which is always made - add it",
            )
        if self.given("tflite_precision") and "tflite" not in self.export:
            yield Fault(
                ("tflite_precision",),
                "--tflite_precision: given, but does nothing here: --export "
                "names no tflite - leave it out",
            )
        earlier = self.not_worse_than
        if earlier and newest_version(earlier) is None:
            yield Fault(
                ("not_worse_than",),
                f"--not_worse_than={earlier}: expected a version (a folder "
                "with saved_model.pb) or an output folder with versions in it "
                "- check the path, or leave it out of a first run",
            )


def newest_version(
    folder: str | os.PathLike,
    not_this: Callable[[pathlib.Path], bool] = lambda version: False,
) -> pathlib.Path | None:
    """A version itself, or the largest one in an output folder.

    Args:
        folder: of either.
        not_this: says that a version does not count.
    """
    folder = pathlib.Path(output_folder(os.fspath(folder)))
    try:
        names = os.listdir(folder)
    except OSError:  # No folder, or not ours to read.
        return None
    numbers = sorted(filter(str.isdecimal, names), key=int, reverse=True)
    places = (folder, *(folder / number for number in numbers))
    versions = filter(_is_version, places)
    return next((v for v in versions if not not_this(v)), None)


def _is_version(folder: pathlib.Path) -> bool:
    return (folder / "saved_model.pb").is_file()
