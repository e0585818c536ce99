"""Batches for a server: asked again, and in pieces, where it must be.

In: a transport (`rest`, `rpc`) and pictures, encoded or as pixels. Out: an
answer for each, in their order.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import tenacity

from tl_keras.errors import DataError, MachineError
from tl_keras.inputs.kinds import BY_SERVING_NAME
from tl_keras.serving.server_client.faults import Busy, TooLarge

if TYPE_CHECKING:
    import numpy as np

Result = TypeVar("Result")
# Seconds before each further try.
PAUSES = (0.5, 1.0, 2.0, 4.0)
# gRPC's default limit is 4 MiB, and a request is more than its pictures.
MAX_BYTES = 3_500_000


class Answered(NamedTuple):
    """What a server says of one picture.

    Attributes:
        labels: the best names, the best first; none if it was not read.
        scores: a probability for each.
        status: "" or why it was not read.
    """

    labels: tuple[str, ...]
    scores: tuple[float, ...]
    status: str


class AnsweredOther(NamedTuple):
    """The same of a model that says something else than the best names.

    Attributes:
        labels, scores, status: as of `Answered`; no names of numbers.
        more: "labels" with "scores", numbers by column, or the names of a
            "set" of classes beside the best.
    """

    labels: tuple[str, ...]
    scores: tuple[float, ...]
    status: str
    more: Mapping


class Transport(Protocol):
    """A protocol that a server speaks."""

    address: str

    def versions(self) -> list[int]:
        """The versions that are ready."""

    def ask(self, version: int, encoded: Sequence[bytes]) -> list[Answered]:
        """One request; raises `Busy` or `TooLarge`."""

    def input_name(self, version: int) -> str:
        """What `serving_default` calls its input."""

    def side(self, version: int) -> int:
        """Side of the squares that `serving_float` takes, in pixels."""

    def ask_pixels(
        self, version: int, pixels: "Sequence[np.ndarray]"
    ) -> list[Answered]:
        """One request of `serving_float`; raises as `ask`."""


class Client:
    """A server that serves one version of a model.

    Args:
        transport: how it is asked.
        sleep: waits so many seconds.

    Attributes:
        version: the newest that was ready.
    """

    def __init__(
        self, transport: Transport, sleep: Callable[[float], None] = time.sleep
    ):
        self._transport, self._sleep = transport, sleep
        self._most = 0  # pictures of a request; 0 where none was too large
        found = self._patiently(transport.versions)
        if not found:
            raise MachineError(
                f"--server={transport.address}: no version of the model is "
                "ready - wait until it is loaded, or see the server's log"
            )
        self.version = max(found)

    def kind(self) -> str:
        """The kind of input that the model takes, a name of `inputs.kinds`.

        Raises:
            MachineError: the server does not answer, or refuses.
        """
        name = self._patiently(lambda: self._transport.input_name(self.version))
        return BY_SERVING_NAME.get(name, "image")

    def ask(self, encoded: Sequence[bytes]) -> list[Answered]:
        """Asks about a batch, in as many requests as it takes.

        Raises:
            MachineError: the server does not answer, or refuses.
        """
        return self._ask_all(encoded, len, self._transport.ask)

    def ask_pixels(self, pixels: "np.ndarray") -> list[Answered]:
        """Asks about pictures that are decoded, by `serving_float`.

        Args:
            pixels: (n, side, side, 3), 0 to 255, of the model's own size.

        Raises:
            DataError: they are of another size, found before any is sent.
            MachineError: as `ask`.

        Example:
            server.ask_pixels(np.zeros((1, 224, 224, 3), np.float32))
        """
        side = self._patiently(lambda: self._transport.side(self.version))
        if tuple(pixels.shape[1:]) != (side, side, 3):
            raise DataError(
                f"pixels: expected (n, {side}, {side}, 3), the size of version "
                f"{self.version}, received {tuple(pixels.shape)} - resize "
                "them, or send the encoded pictures, which it resizes itself"
            )
        return self._ask_all(
            list(pixels),
            lambda example: example.nbytes,
            self._transport.ask_pixels,
        )

    def _ask_all(self, examples: Sequence, size: Callable, ask) -> list:
        answers: list[Answered] = []
        while len(answers) < len(examples):
            left = examples[len(answers) :]
            count = first_piece(left, self._most or len(left), size)
            answers += self._ask_piece(left[:count], size, ask)
        return answers

    def _ask_piece(self, examples: Sequence, size: Callable, ask) -> list:
        try:
            return self._patiently(lambda: ask(self.version, examples))
        except TooLarge as fault:
            if len(examples) == 1:
                megabytes = size(examples[0]) / 1e6
                why = f"{megabytes:.1f} MB, larger than the server takes"
                return [Answered((), (), f"{why} ({fault})")]
        # It is asked no more than this from here on.
        self._most = len(examples) // 2
        return self._ask_all(examples, size, ask)

    def _patiently(self, call: Callable[[], Result]) -> Result:
        """Tries again while the server is busy.

        Raises:
            MachineError: it still is after the last pause.
        """
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Busy),
            wait=tenacity.wait_chain(*map(tenacity.wait_fixed, PAUSES)),
            stop=tenacity.stop_after_attempt(len(PAUSES) + 1),
            sleep=self._sleep,
        )
        try:
            return tries(call)
        except tenacity.RetryError as error:
            last = error.last_attempt
            raise MachineError(
                f"--server={self._transport.address}: no answer in "
                f"{last.attempt_number} tries ({last.exception()}) - is it "
                "running there?"
            ) from None


def first_piece(
    examples: Sequence, most: int, size: Callable[..., int] = len
) -> int:
    """How many go into one request: up to `most` and `MAX_BYTES`, or one.

    Args:
        examples: those left to ask.
        most: how many at most, 1 or more.
        size: bytes of one.

    Returns:
        1 or more, also where the first alone is above `MAX_BYTES`; 0 of none.
    """
    total = 0
    for count, example in enumerate(examples[:most]):
        total += size(example)
        if count and total > MAX_BYTES:
            return count
    return min(most, len(examples))
