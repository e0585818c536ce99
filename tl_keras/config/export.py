"""The settings about what is made of a trained model. No TensorFlow.

In: values, as everywhere in `tl_keras.config`. Out: the part of a
`TransferConfig` that says which files are made, and when a version is not good
enough to be published.
"""

import dataclasses
import pathlib
from collections.abc import Iterator

from tl_keras import versions
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
    test_time_views: bool = setting(
        False,
        "answer for a picture and its mirror image together: the mean of both "
        "features, in the exported graph and in evaluation; twice the time of "
        "serving, and never where a flip changes the meaning",
        group=EXPORT,
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
    trust_model: bool = setting(
        False,
        "of --not_worse_than: load a model that has no manifest of tl_keras, "
        "or whose graph may do more than compute; it may then do whatever a "
        "program of yours may do",
        group=EXPORT,
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
        if self.trust_model and not self.not_worse_than:
            yield Fault(
                ("trust_model",),
                "--trust_model: given, but does nothing here: no "
                "--not_worse_than - leave it out",
            )
        earlier = self.not_worse_than
        if earlier and earlier_version(earlier) is None:
            yield Fault(
                ("not_worse_than",),
                f"--not_worse_than={earlier}: expected a version (a folder "
                "with saved_model.pb) or an output folder with versions in it "
                "- check the path, or leave it out of a first run",
            )


def earlier_version(not_worse_than: str) -> pathlib.Path | None:
    """The version that `--not_worse_than` means; None where there is none."""
    try:
        return versions.newest_version(output_folder(not_worse_than))
    except OSError:  # No folder, or not ours to read.
        return None
