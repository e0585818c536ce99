"""Where each thing of a run is: the one place that knows the names.

    folder = RunFolder.of("saved_models/flowers")   # an output folder
    folder.metrics                       # saved_models/flowers/run/metrics.json
    folder.version(3)                    # saved_models/flowers/3

In: an output folder, or the `run/` in it. Out: paths. A server looks for
versions, which are its integer children; people look into `run/`, which a
server skips. No TensorFlow.
"""

import dataclasses
import os
import pathlib
from typing import Self

INNER = "run"


def _file(name: str) -> property:
    return property(lambda folder: folder.path / name)


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """The paths of a run, whether they are there or not.

    Attributes:
        path: `<output_dir>/run`; a folder that was copied on its own may have
            another name.
    """

    path: pathlib.Path

    # What it is: settings, how far it has come, the data, the labels.
    flags = _file("run.flags")
    state = _file("state.json")
    split = _file("split.csv")
    labels = _file("labels.txt")
    unlabelled = _file("unlabelled.csv")
    # What a killed process goes on from; gone when the run is finished.
    saves = _file("saves")
    # What came of it.
    history = _file("history.csv")
    logs = _file("logs")
    model = _file("model.keras")
    metrics = _file("metrics.json")
    predictions = _file("predictions.csv")
    changed = _file("changed.csv")
    # For people.
    data_report = _file("data_report.json")
    data_page = _file("data_report.html")
    page = _file("report.html")
    markdown = _file("report.md")
    curves = _file("curves.png")
    confusion = _file("confusion.png")
    # For other programs.
    serving = _file("serving")
    exports = _file("exports")

    @classmethod
    def of(cls, output: str | os.PathLike) -> Self:
        """The run in an output folder."""
        return cls(pathlib.Path(output) / INNER)

    @classmethod
    def named(cls, path: str | os.PathLike) -> Self:
        """The run that a person means by one of its folders: the one that
        holds it, its `run/`, or a version that it has published.

        An output folder where there is none is given back as it is.
        """
        path = pathlib.Path(path)
        inner = cls.of(path)
        if path.name.isdecimal() and not os.path.isdir(inner.path):
            beside = cls.of(path.parent)
            if os.path.isdir(beside.path):
                return beside
        if cls(path).is_trainings:
            return cls(path)
        # os.path, since pathlib raises where a folder may not be looked into.
        # An evaluation may have left its metrics.json beside the run.
        there = inner.is_trainings or not os.path.isfile(cls(path).metrics)
        return inner if there and os.path.isdir(inner.path) else cls(path)

    @property
    def output(self) -> pathlib.Path:
        """The folder that holds the run and its versions."""
        return self.path.parent

    @property
    def is_trainings(self) -> bool:
        """Whether a training run began here: its settings are."""
        return os.path.isfile(self.flags)

    def version(self, number: int) -> pathlib.Path:
        """A version that it publishes."""
        return self.output / str(number)

    def set_aside(self) -> pathlib.Path:
        """Renames the run that is there to `run.<k>`, the first free one.

        Returns:
            Where it is now.
        """
        number = 1
        while (aside := self.path.with_name(f"{INNER}.{number}")).exists():
            number += 1
        self.path.rename(aside)
        return aside
