"""The settings of `python -m tl_keras.predict`. No TensorFlow.

    PredictConfig(model="saved_models/flowers", input="photos",
                  output_dir="answers").validate()

In: values, or the strings of a flag file. Out: a frozen `PredictConfig`.
"""

import dataclasses
import os
import re
import urllib.parse
from collections.abc import Iterator

from tl_keras.config import rules
from tl_keras.config.output_places import place_faults
from tl_keras.config.paths import is_table, kind_of_model
from tl_keras.config.settings import Fault, Settings, setting
from tl_keras.config.shared_settings import (
    exclude_in,
    follow_links_in,
    include_in,
    io_timeout_in,
    path_column_in,
    text_column_in,
    text_encoding_in,
)

SCHEMES = ("http", "https", "grpc")
# An export's own answer has so many classes (`servable.TOP_K`).
SERVER_TOP_K = 5


@dataclasses.dataclass(frozen=True)
class PredictConfig(Settings):
    """Which pictures, which model, where to."""

    model: str = setting(
        "",
        "a run's folder, of which the largest version is taken, or one version",
        group="Model",
        path=True,
    )
    trust_model: bool = setting(
        False,
        "load a model that has no manifest of tl_keras, or whose graph may do "
        "more than compute; it may then do whatever a program of yours may do",
        group="Model",
    )
    server: str = setting(
        "",
        "ask a running TensorFlow Serving instead of loading --model: "
        "http://HOST:PORT or grpc://HOST:PORT",
        group="Server",
    )
    model_name: str = setting(
        "", "the model's name on the server", group="Server"
    )
    timeout: float = setting(
        60.0,
        "for an answer of the server",
        group="Server",
        unit="seconds",
        low=0.001,
        high=86_400,
    )
    input: str = setting(
        "",
        "a folder of pictures, with its sub-folders; a table (.csv, .tsv, "
        ".txt, .jsonl, .parquet) with a column of paths; or one picture; of "
        "texts a table, a folder of .txt, one .txt, - for lines of standard "
        "input, or a text itself",
        group="Examples",
        path=True,
        words=("-",),
    )
    data_dir: str = setting(
        "",
        "the folder that a table's paths start from; its own folder when not "
        "given",
        group="Examples",
        path=True,
    )
    path_column: str = path_column_in("Examples")
    text_column: str = text_column_in("Examples")
    text_encoding: str = text_encoding_in("Examples")
    include: str = include_in("Examples")
    exclude: str = exclude_in("Examples")
    follow_links: bool = follow_links_in("Examples")
    io_timeout: float = io_timeout_in("Examples")
    batch_size: int = setting(
        32,
        "pictures that are asked at once",
        group="Examples",
        unit="pictures",
        low=1,
        high=4096,
    )
    top_k: int = setting(
        5,
        "how many labels are written for a picture, the best first",
        group="Examples",
        unit="labels",
        low=1,
        high=100_000,
    )
    coverage: float | None = setting(
        None,
        "sets of classes, or intervals around numbers, that hold the truth of "
        "this share of pictures like those of training; those of training's "
        "own --coverage, if any, when not given",
        group="Pictures",
        low=0.5,
        high=0.999,
    )
    output_dir: str = setting(
        "",
        "where predictions.csv, predictions.jsonl and gallery.html are "
        "written; a run that was stopped goes on there, and new pictures are "
        "added to those of a finished one; printed only, when not given",
        group="Examples",
        path=True,
    )

    def combination_faults(self, wrong: set[str]) -> Iterator[Fault]:
        """What is wrong with these values together."""
        if "server" not in wrong:
            yield from self._model_faults()
        elif self.model:
            yield from rules.model_faults(self.model)
        yield from self._input_faults()
        yield from place_faults(
            self.output_dir, {"input": self.input}, self.exclude
        )

    def _model_faults(self) -> Iterator[Fault]:
        if self.server:
            yield from self._server_faults()
            return
        yield from rules.model_faults(self.model, " or --server=ADDRESS")
        for name in ("model_name", "timeout"):
            if self.given(name):
                yield rules.idle(name, "there is no --server")

    def _server_faults(self) -> Iterator[Fault]:
        for name in ("model", "trust_model"):
            if self.given(name):
                yield rules.idle(name, "--server has its own model")
        if self.given("coverage"):
            yield rules.idle(
                "coverage", "--server gives what its model was trained with"
            )
        parts = urllib.parse.urlsplit(self.server)
        try:
            port = parts.port
        except ValueError:
            port = None
        bare = f"{parts.scheme}://{parts.netloc}" == self.server.rstrip("/")
        if (
            parts.scheme not in SCHEMES
            or not parts.hostname
            or not port
            or not bare
            or "@" in parts.netloc
        ):
            yield Fault(
                ("server",),
                f"--server={self.server}: expected http://HOST:PORT, "
                "https://HOST:PORT or grpc://HOST:PORT, such as "
                "http://127.0.0.1:8501",
            )
        if not re.fullmatch(r"[\w.-]+", self.model_name):
            yield Fault(
                ("model_name",),
                f"--model_name={self.model_name}: expected the model's name on "
                "the server, letters, digits, '_', '-' or '.'",
            )
        if self.top_k > SERVER_TOP_K:
            yield Fault(
                ("top_k",),
                f"--top_k={self.top_k}: expected {SERVER_TOP_K} or less with "
                "--server, which answers no more",
            )

    def may_be_texts(self) -> bool:
        """Whether `input` may be a text itself: of a server, only that
        says what it takes. A single word that is a path's is none."""
        word = len(self.input.split()) == 1 and self.input != "-"
        if word and (os.sep in self.input or is_table(self.input)):
            return False
        if self.server:
            return self.server.startswith(tuple(f"{s}://" for s in SCHEMES))
        return kind_of_model(self.model) == "text"

    def no_input(self) -> Fault:
        """That there is no such picture, nor a folder or table of them."""
        return rules.no_such(
            "input", self.input, "a folder, a table (.csv) or a picture"
        )

    def _input_faults(self) -> Iterator[Fault]:
        if not self.input:
            yield Fault(
                ("input",),
                "--input: nothing received; expected a folder, a table (.csv) "
                "or a picture, or what a model of texts is asked",
            )
        elif not os.path.exists(self.input) and not self.may_be_texts():
            yield self.no_input()
        for name in ("include", "exclude", "follow_links"):
            if self.given(name) and os.path.isfile(self.input):
                if not is_table(self.input):
                    yield rules.idle(name, "--input is one picture")
        if self.path_column and not is_table(self.input):
            yield rules.idle("path_column", "only a table has columns")
        if self.data_dir and not is_table(self.input):
            yield rules.idle("data_dir", "only a table has one")
        elif self.data_dir and not os.path.isdir(self.data_dir):
            yield rules.no_such("data_dir", self.data_dir, "a folder")
