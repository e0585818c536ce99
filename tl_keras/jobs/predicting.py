"""Settings -> predictions: a model or a server asked about pictures.

In: a `PredictConfig`. Out: the files of `serving.inference` in its folder, and
the lines that a person reads at the end.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator, Sequence

from tl_keras import log, pages, signals
from tl_keras.config import PredictConfig
from tl_keras.config.kinds import kind_faults
from tl_keras.config.paths import output_folder
from tl_keras.console import on_console
from tl_keras.data import ListOptions, Unlabelled, is_table
from tl_keras.data.texts import UnlabelledTexts
from tl_keras.data.texts.folders import TEXT_FILES
from tl_keras.data.texts.unlabelled import LINES
from tl_keras.errors import ConfigError
from tl_keras.exports import inspect_export
from tl_keras.inputs.kinds import kind_named, nouns
from tl_keras.jobs.listing import patterns, text_columns_of
from tl_keras.runs import check_writable, leaving_nothing, run_lock
from tl_keras.serving.inference import (
    Answer,
    Done,
    Loaded,
    Predictor,
    predict_examples,
)
from tl_keras.serving.server_client import Client, connect

MAX_SHOWN = 10
LINES_AT_ONCE = 1000


@on_console()
def predict_with(config: PredictConfig) -> Done:
    """Does what `python -m tl_keras.predict` was asked.

    Raises:
        ConfigError, DataError, MachineError, StoppedError: see
            `tl_keras.errors`; each has one clear line.
    """
    ask, known_as, kind = _asked(config)
    with contextlib.ExitStack() as stack:
        name = config.output_dir or stack.enter_context(
            tempfile.TemporaryDirectory(prefix="tl_keras_")
        )
        folder = pathlib.Path(name)
        stack.enter_context(leaving_nothing(folder))
        check_writable(folder)
        stack.enter_context(run_lock(folder))
        stack.enter_context(signals.at_a_step())
        examples = _examples(config, kind)
        done = predict_examples(
            ask,
            examples,
            folder,
            known_as={**known_as, "top_k": config.top_k},
            batch_size=config.batch_size,
            stop=signals.requested,
        )
        one = is_one(config.input, kind)
        if one or not config.output_dir:
            told = answers(folder / "predictions.jsonl", best_alone=not one)
            while some := list(itertools.islice(told, LINES_AT_ONCE)):
                lines = map(pages.escape_controls, some)
                log.result("\n".join(lines), whole=True)
    for line in examples.told:
        log.info(pages.escape_controls(f"{config.input}: {line}"))
    log.info(summary(done, config.output_dir, nouns(kind)[1]))
    return done


def _examples(config: PredictConfig, kind: str) -> Unlabelled | UnlabelledTexts:
    """What is asked.

    Raises:
        ConfigError: a setting is about another kind of input, or there is no
            such file.
    """
    faults = [*kind_faults(config, kind)]
    if kind == "image" and not os.path.exists(config.input):
        faults.append(config.no_input())
    if faults:
        raise ConfigError([fault.message for fault in faults])
    if kind == "text":
        return UnlabelledTexts(
            config.input, text_columns_of(config), config.text_encoding
        )
    return Unlabelled(
        config.input,
        config.data_dir,
        ListOptions(
            include=patterns(config.include),
            exclude=patterns(config.exclude),
            follow_links=config.follow_links,
            path_column=config.path_column,
        ),
    )


def is_one(given: str, kind: str) -> bool:
    """Whether an `--input` is one example.

    Args:
        given: a path, or a text.
        kind: of input.
    """
    if kind == "text":
        return given != LINES and (
            not os.path.exists(given) or given.lower().endswith(TEXT_FILES)
        )
    return os.path.isfile(given) and not is_table(given)


def answers(file: pathlib.Path, best_alone: bool) -> Iterator[str]:
    """Label and probability of each picture, in a line.

    Args:
        file: predictions.jsonl.
        best_alone: whether other labels than the best are left out.
    """
    with open(file, encoding="ascii") as lines:
        for line in lines:
            row = json.loads(line)
            if row["status"] != "ok":
                yield f"{row['id']}: unreadable, {row['reason']}"
                continue
            yield f"{row['id']}: {_told(row, best_alone)}"


def _told(row: dict, best_alone: bool) -> str:
    """A picture's answer in words."""
    if "labels" in row:
        pairs = zip(row["labels"], row["scores"], strict=True)
        return ", ".join(f"{n} {s:.4f}" for n, s in pairs) or "no label"
    if "top" not in row:
        numbers = {n: v for n, v in row.items() if n not in ("id", "status")}
        return ", ".join(f"{n} {v:.6g}" for n, v in numbers.items())
    best = row["top"][:1] if best_alone else row["top"]
    told = ", ".join(f"{b['label']} {b['score']:.4f}" for b in best)
    return told + (f", set {'|'.join(row['set'])}" if "set" in row else "")


def _asked(config: PredictConfig) -> tuple:
    """Whom to ask, and what its answers depend on."""
    if config.server:
        client = connect(config.server, config.model_name, config.timeout)
        log.info(
            f"{config.model_name} version {client.version} at {config.server}"
        )
        known_as = {
            "model": f"{config.model_name} version {client.version}",
            "server": config.server,
        }
        kind = client.kind()
        return _Served(client, config.top_k, kind), known_as, kind
    model = output_folder(config.model)
    export = inspect_export(model, trust_model=config.trust_model)
    for line in export.warnings:
        log.warn(f"warning: {export.folder}: {line}")
    known_as: dict = {"model": export.sha256}
    if config.coverage is not None:
        known_as["coverage"] = config.coverage
    export = export.covering(config.coverage)
    return Predictor(Loaded(export), config.top_k), known_as, export.kind


@dataclasses.dataclass(frozen=True)
class _Served:
    """A server's answers, as `predict_examples` takes them."""

    client: Client
    top_k: int
    kind: str

    def __call__(self, encoded: Sequence[bytes]) -> list[Answer]:
        """One answer an example; what can be mended is mended first."""
        answers, mend = self.client.ask(encoded), kind_named(self.kind).mended
        for row, content in enumerate(encoded):
            # The graph that a server runs has no Pillow.
            if answers[row].status and (mended := mend(content)):
                answers[row : row + 1] = self.client.ask([mended])
        top = self.top_k
        return [
            Answer(
                answer.labels[:top],
                answer.scores[:top],
                answer.status,
                *_beside(answer),
            )
            for answer in answers
        ]


def _beside(answer) -> tuple:
    """What a server says beside the best names: cells, and a set of names."""
    more = dict(getattr(answer, "more", {}))
    in_set = more.pop("set", ())
    return more, in_set


def summary(
    done: Done, folder: str | os.PathLike, many: str = "pictures"
) -> str:
    """The books, the labels and where everything lies.

    Args:
        done: the counts.
        folder: of the results; "" for nowhere.
        many: what the examples are called.

    Returns:
        Lines, with no newline at the end.
    """
    lines = [f"{n:>10,}  {label}" for label, n in _first(done.labels)]
    lines += [f"{n:>10,}  unreadable: {why}" for why, n in _first(done.reasons)]
    lines.append(
        f"{done.found():,} found = {done.predicted:,} predicted + "
        f"{done.unreadable:,} unreadable + "
        f"{sum(done.ignored.values()):,} ignored"
    )
    lines += [f"  ignored {n:,}: {why}" for why, n in done.ignored.items()]
    if folder:
        for title, name in (
            ("predictions", "predictions.csv"), ("gallery", "gallery.html")
        ):  # fmt: skip
            lines.append(f"{title}: {os.path.join(folder, name)}")
    if done.seconds is None:
        lines.append("all of it was there already")
    else:
        lines.append(f"seconds: {done.seconds:.1f} for {done.asked:,} {many}")
    return pages.escape_lines(lines)


def _first(counts) -> list[tuple[str, int]]:
    return list(counts.items())[:MAX_SHOWN]


def predicted_for_programs(config: PredictConfig, done: Done) -> dict:
    """What `--json` prints of predictions."""
    return {
        "found": done.found(),
        "predicted": done.predicted,
        "unreadable": done.unreadable,
        "ignored": dict(done.ignored),
        "labels": dict(done.labels),
        **({"output_dir": config.output_dir} if config.output_dir else {}),
    }
