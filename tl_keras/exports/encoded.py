"""Encoded examples that can be gone through again.

    stream = Encoded(len(examples), examples.read, "verifying")
    for content in stream: ...

In: how many there are, and what reads one. Out: their bytes in order, as often
as they are asked for; they are never in memory together.
"""

import dataclasses
from collections.abc import Callable, Iterator

from tl_keras import progress


@dataclasses.dataclass(frozen=True)
class Encoded:
    """Encoded examples, read anew each time that they are gone through.

    Attributes:
        count: how many there are.
        read: number of an example -> its bytes.
        what: is done with them, told as they are gone through; "" says none.
    """

    count: int
    read: Callable[[int], bytes]
    what: str = ""

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[bytes]:
        contents = map(self.read, range(self.count))
        if not self.what:
            return contents
        return progress.counted(contents, self.what, self.count)
