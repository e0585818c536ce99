"""Pictures without end -> rows, read ahead while the model computes.

In: a question to ask, pictures, a folder. Out: the results of `results`, and
`Done`, the counts. Files are opened without blocking and only when they are
regular; a picture that cannot be read is a row with the reason, and costs no
other picture.
"""

import collections
import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent import futures

from tl_keras import progress
from tl_keras.data import Unlabelled
from tl_keras.errors import DataError, StoppedError
from tl_keras.inputs.kinds import nouns
from tl_keras.serving.inference import results
from tl_keras.serving.inference.asking import Answer, explained
from tl_keras.serving.inference.gallery import content_of
from tl_keras.serving.inference.work import AskedExample, Work

Ask = Callable[[Sequence[bytes]], Sequence[Answer]]
# Larger files are not read: a batch of them would not fit in memory.
MAX_BYTES = 128 << 20
THREADS = min(4, os.cpu_count() or 1)
AHEAD = 2  # batches that are read before they are asked
ANSWERED = "answered before"


@dataclasses.dataclass(frozen=True)
class Done:
    """The counts of a run.

    Attributes:
        predicted, unreadable: pictures with an answer, and without.
        ignored: what was found beside them, counted by reason.
        labels: pictures by their label, the most first.
        reasons: unreadable pictures by their reason, the most first.
        seconds: that this run took, or None where it was done already.
        asked: pictures that this run read and asked.
    """

    predicted: int
    unreadable: int
    ignored: Mapping[str, int]
    labels: Mapping[str, int]
    reasons: Mapping[str, int]
    seconds: float | None = None
    asked: int = 0

    def found(self) -> int:
        """Everything: predicted + unreadable + ignored."""
        return self.predicted + self.unreadable + sum(self.ignored.values())


def predict_examples(
    ask: Ask,
    examples: Unlabelled,
    folder: str | os.PathLike,
    *,
    known_as: Mapping[str, object],
    batch_size: int = 32,
    stop: Callable[[], bool] = lambda: False,
) -> Done:
    """Asks about every picture once, and writes the results.

    Args:
        ask: encoded pictures -> an answer for each.
        examples: the input.
        folder: of the results; one that was begun is gone on with.
        known_as: what the answers depend on, such as the model's hash; a
            folder that was begun with anything else is refused.
        batch_size: pictures that are asked at once.
        stop: asked between two batches; when true, the work ends there.

    Returns:
        The counts; those of the earlier call where all was done already.

    Raises:
        ConfigError: the folder was begun otherwise.
        DataError: there are no pictures, the input has changed since, or none
            of them could be read.
        StoppedError: `stop` said so; the same call goes on.
    """
    began = time.perf_counter()
    identity = {**known_as, "batch_size": batch_size}
    work = Work(pathlib.Path(folder), identity, examples)
    if work.done is not None:
        return Done(**{n: v for n, v in work.done.items() if n != "identity"})
    one, many = nouns(examples.kind)
    if not work.listing.count:
        expected = "a folder of pictures, a .csv with their paths, or one"
        if examples.kind != "image":
            expected = f"a folder of {many}, a .csv with a column {one}, or one"
        raise DataError(
            f"--input={examples.source}: no {many} found, "
            f"{sum(work.listing.ignored.values()):,} other things - "
            f"expected {expected}"
        )
    # Its answers are lines themselves, and their seconds stand below.
    with progress.doing(
        "predicting", work.listing.count, many, line=False
    ) as told:
        asked = _fill(work, ask, examples, batch_size, stop, told)
    done = results.write_results(work, examples, work.listing.ignored)
    if not done["predicted"]:
        reason = next(iter(done["reasons"]))
        raise DataError(
            [
                f"--input={examples.source}: none of {done['unreadable']:,} "
                f"{many} could be read, most of them for: {reason}",
                *examples.hints,
            ]
        )
    seconds = round(time.perf_counter() - began, 3)
    return Done(**done, seconds=seconds, asked=asked)


def _fill(
    work: Work,
    ask: Ask,
    examples: Unlabelled,
    batch_size: int,
    stop: Callable[[], bool],
    told: progress.Work,
) -> int:
    """Writes the parts that are missing; how many pictures they held."""
    there, total = work.count_done(), work.listing.count
    asked, part, rows = 0, -1, []
    for number, batch, contents in _read_ahead(
        work.batches(batch_size), examples
    ):
        if stop():
            raise StoppedError(
                f"stopped after {there + asked - len(rows):,} of {total:,} "
                f"{nouns(examples.kind)[1]} - run the same command to go on"
            )
        if number != part and rows:
            work.write(part, rows)
            rows = []
        part = number
        rows += _rows(batch, contents, ask, examples.kind)
        asked += sum(example.row is None for example in batch)
        told.done = there + asked
        told.advance(0)
    if rows:
        work.write(part, rows)
    return asked


def _read_ahead(
    batches: Iterable[tuple[int, list[AskedExample]]], examples: Unlabelled
) -> Iterator[tuple[int, list[AskedExample], list[tuple[bytes, str]]]]:
    """Batches with their pictures' bytes, a few of them read ahead."""

    def read(example: AskedExample) -> tuple[bytes, str]:
        if example.reason or example.row is not None:
            return b"", example.reason or ANSWERED
        return content_of(examples, example.id, MAX_BYTES)

    waiting: collections.deque = collections.deque()
    with futures.ThreadPoolExecutor(THREADS) as pool:
        try:
            for number, batch in batches:
                reading = [pool.submit(read, example) for example in batch]
                waiting.append((number, batch, reading))
                if len(waiting) > AHEAD:
                    number, batch, reading = waiting.popleft()
                    yield number, batch, [one.result() for one in reading]
            while waiting:
                number, batch, reading = waiting.popleft()
                yield number, batch, [one.result() for one in reading]
        finally:
            pool.shutdown(cancel_futures=True)


def _rows(
    batch: Sequence[AskedExample],
    contents: Sequence[tuple[bytes, str]],
    ask: Ask,
    kind: str,
) -> list[dict]:
    """The rows of a batch, in its order."""
    read = [content for content, reason in contents if not reason]
    answers = iter(ask(read) if read else ())
    rows = []
    for example, (content, reason) in zip(batch, contents, strict=True):
        if example.row is not None:
            rows.append(example.row)
            continue
        answer = Answer((), (), reason) if reason else next(answers)
        if answer.status and not reason:
            # The graph names the fault; a person needs the remedy too.
            reason = explained(kind, content, answer.status)
        rows.append(_row(example.id, reason, answer))
    return rows


def _row(id_: str, reason: str, answer: Answer) -> dict:
    if reason:
        return {"id": id_, "status": "unreadable", "reason": reason}
    if answer.more:
        return {"id": id_, "status": "ok", **answer.more}
    best = zip(answer.labels, answer.scores, strict=True)
    row = {
        "id": id_,
        "status": "ok",
        "label": answer.labels[0],
        "score": answer.scores[0],
        "top": [{"label": label, "score": score} for label, score in best],
    }
    return row | ({"set": list(answer.in_set)} if answer.in_set else {})
