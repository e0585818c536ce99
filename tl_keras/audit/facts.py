"""What is known of one picture file, before any rule judges it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the bytes of a picture say, and what the decoder made of them.

    Attributes:
        sha256: of the bytes, in hexadecimal.
        format: as in `headers.Header`.
        width, height: by the header.
        pixels: what a decoder must make room for, all frames together.
        notes: what is worth counting.
        problem: why it cannot be used, seen without decoding.
        repairable: Pillow may read what TensorFlow cannot.
        decoded: "" when not tried, "yes", or why it does not decode.
        look, mirrored: perceptual hashes; "" when not made, "none" when the
            picture is too small or too plain for one.
    """

    sha256: str = ""
    format: str = ""
    width: int = 0
    height: int = 0
    pixels: int = 0
    notes: tuple[str, ...] = ()
    problem: str = ""
    repairable: bool = False
    decoded: str = ""
    look: str = ""
    mirrored: str = ""

    @property
    def side(self) -> int:
        """The shorter side, in pixels."""
        return min(self.width, self.height)
