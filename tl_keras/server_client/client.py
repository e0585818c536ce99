"""Batches for a server: asked again, and in pieces, where it must be.

In: a way to ask (`rest`, `rpc`) and encoded pictures. Out: an answer for each,
in their order.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from tl_keras.errors import MachineError
from tl_keras.server_client.faults import Busy, TooLarge

Result = TypeVar("Result")
# Seconds before each further try.
PAUSES = (0.5, 1.0, 2.0, 4.0)
# gRPC's default limit is 4 MiB, and a request is more than its pictures.
MOST_BYTES = 3_500_000


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


class Way(Protocol):
    """A protocol that a server speaks."""

    address: str

    def versions(self) -> list[int]:
        """The versions that are ready."""

    def ask(self, version: int, encoded: Sequence[bytes]) -> list[Answered]:
        """One request; raises `Busy` or `TooLarge`."""


class Client:
    """A server that serves one version of a model.

    Args:
        way: how it is asked.
        sleep: waits so many seconds.

    Attributes:
        version: the newest that was ready.
    """

    def __init__(self, way: Way, sleep: Callable[[float], None] = time.sleep):
        self._way, self._sleep = way, sleep
        self._most = 0  # pictures of a request; 0 where none was too large
        found = self._patiently(way.versions)
        if not found:
            raise MachineError(
                f"--server={way.address}: no version of the model is ready - "
                "wait until it is loaded, or see the server's log"
            )
        self.version = max(found)

    def ask(self, encoded: Sequence[bytes]) -> list[Answered]:
        """Asks about a batch, in as many requests as it takes.

        Raises:
            MachineError: the server does not answer, or refuses.
        """
        answers: list[Answered] = []
        while len(answers) < len(encoded):
            left = encoded[len(answers) :]
            count = first_piece(left, self._most or len(left))
            answers += self._ask_piece(left[:count])
        return answers

    def _ask_piece(self, encoded: Sequence[bytes]) -> list[Answered]:
        try:
            return self._patiently(lambda: self._way.ask(self.version, encoded))
        except TooLarge as fault:
            if len(encoded) == 1:
                size = len(encoded[0]) / 1e6
                why = f"{size:.1f} MB, larger than the server takes ({fault})"
                return [Answered((), (), why)]
        # It is asked no more than this from here on.
        self._most = len(encoded) // 2
        return self.ask(encoded)

    def _patiently(self, call: Callable[[], Result]) -> Result:
        """Tries again while the server is busy.

        Raises:
            MachineError: it still is after the last pause.
        """
        for pause in (*PAUSES, None):
            try:
                return call()
            except Busy as fault:
                reason = str(fault)
            if pause is not None:
                self._sleep(pause)
        raise MachineError(
            f"--server={self._way.address}: no answer in {len(PAUSES) + 1} "
            f"tries ({reason}) - is it running there?"
        )


def first_piece(encoded: Sequence[bytes], most: int) -> int:
    """How many go into one request: up to `most` and `MOST_BYTES`, or one."""
    size = 0
    for count, content in enumerate(encoded[:most]):
        size += len(content)
        if count and size > MOST_BYTES:
            return count
    return min(most, len(encoded))
