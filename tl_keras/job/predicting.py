"""Settings -> predictions: a model or a server asked about pictures.

In: a `PredictConfig`. Out: the files of `tl_keras.inference` in its folder, and
the lines that a person reads at the end.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Sequence

from tl_keras import pages, pixels, stopping
from tl_keras.config import PredictConfig
from tl_keras.data import Unlabelled
from tl_keras.inference import (
    Answer,
    Asker,
    Done,
    Loaded,
    predict_pictures,
)
from tl_keras.job.checking import check_writable
from tl_keras.job.run_lock import alone_in
from tl_keras.servable import inspect_export
from tl_keras.server_client import Client, connect

MOST_SHOWN = 10


def predict_with(config: PredictConfig) -> Done:
    """Does what `python -m tl_keras.predict` was asked.

    Raises:
        ConfigError, DataError, MachineError, StoppedError: see
            `tl_keras.errors`; each has one clear line.
    """
    folder = pathlib.Path(config.output_dir)
    ask, known_as = _asked(config)
    check_writable(folder)
    with alone_in(folder), stopping.at_a_step():
        done = predict_pictures(
            ask,
            Unlabelled(config.input, config.data_dir),
            folder,
            known_as={**known_as, "top_k": config.top_k},
            batch_size=config.batch_size,
            stop=stopping.requested,
        )
    print(summary(done, folder), flush=True)
    return done


def _asked(config: PredictConfig) -> tuple:
    """Whom to ask, and what its answers depend on."""
    if config.server:
        client = connect(config.server, config.model_name, config.timeout)
        print(
            f"{config.model_name} version {client.version} at {config.server}",
            flush=True,
        )
        return _Served(client, config.top_k), {
            "model": f"{config.model_name} version {client.version}",
            "server": config.server,
        }
    export = inspect_export(config.model, trust_model=config.trust_model)
    for line in export.warnings:
        print(f"warning: {export.folder}: {line}", file=sys.stderr)
    return Asker(Loaded(export), config.top_k), {"model": export.sha256}


@dataclasses.dataclass(frozen=True)
class _Served:
    """A server's answers, as `predict_pictures` takes them."""

    client: Client
    top_k: int

    def __call__(self, encoded: Sequence[bytes]) -> list[Answer]:
        """One answer a picture; what Pillow can mend is mended first."""
        answers = self.client.ask(encoded)
        for row, content in enumerate(encoded):
            if answers[row].status and (mended := pixels.repair(content)):
                answers[row : row + 1] = self.client.ask([mended])
        top = self.top_k
        return [Answer(a[:top], b[:top], status) for a, b, status in answers]


def summary(done: Done, folder: pathlib.Path) -> str:
    """The books, the labels and where everything lies."""
    lines = [f"{n:>10,}  {label}" for label, n in _first(done.labels)]
    lines += [f"{n:>10,}  unreadable: {why}" for why, n in _first(done.reasons)]
    lines.append(
        f"{done.found():,} found = {done.predicted:,} predicted + "
        f"{done.unreadable:,} unreadable + "
        f"{sum(done.ignored.values()):,} ignored"
    )
    lines += [f"  ignored {n:,}: {why}" for why, n in done.ignored.items()]
    lines.append(f"predictions: {folder / 'predictions.csv'}")
    lines.append(f"gallery: {folder / 'gallery.html'}")
    if done.seconds is None:
        lines.append("all of it was there already")
    else:
        lines.append(f"seconds: {done.seconds:.1f} for {done.asked:,} pictures")
    return pages.escape_lines(lines)


def _first(counts) -> list[tuple[str, int]]:
    return list(counts.items())[:MOST_SHOWN]
