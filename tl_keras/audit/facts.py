"""What is known of one picture file, before any rule judges it.

    facts.width, facts.height, facts.decoded

In: what `reading` has found. Out: a `Facts`, as the cache keeps it.
"""

import dataclasses

# What `decoded` says of a picture without a fault.
HEADER, YES = "header", "yes"


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the bytes of a picture say, and what the decoder made of them.

    Attributes:
        sha256: of the bytes, in hexadecimal.
        format: as in `header_facts.HeaderFacts`.
        width, height: in pixels, by the header that the decoder reads; before
            it is asked, by Pillow.
        notes: what is worth counting.
        problem: why it cannot be used, seen without the decoder.
        decoded: "" when the decoder was not asked, `HEADER` where it was asked
            for the header alone, `YES`, or why it refuses, with the remedy.
        look, mirrored: perceptual hashes; "" when not made, "none" when the
            picture is too small or too plain for one, or is not read.
    """

    sha256: str = ""
    format: str = ""
    width: int = 0
    height: int = 0
    notes: tuple[str, ...] = ()
    problem: str = ""
    decoded: str = ""
    look: str = ""
    mirrored: str = ""

    @property
    def side(self) -> int:
        """The shorter side, in pixels."""
        return min(self.width, self.height)

    def in_words(self) -> str:
        """Its size, for a person."""
        return f"{self.width} x {self.height}"

    @property
    def refused(self) -> str:
        """Why the decoder refuses it; "" where it does not."""
        return "" if self.decoded in ("", HEADER, YES) else self.decoded
