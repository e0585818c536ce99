"""The bytes of a picture file -> what is worth counting, and words for a fault.

    facts = read_facts(open("cat.jpg", "rb").read())
    facts.format, facts.notes, facts.problem
    explain(content, "damaged JPEG header")     # with the remedy

In: all bytes of a file. Out: what Pillow says of it, nothing decoded, and one
line for a person where the decoder refuses it.

Whether a picture can be used is not decided here. That is what `pixels` says,
in the check as in the exported graph, so that no picture is left out of
training and answered by a server. `problem` is set only where the graph is
sure to refuse as well: no picture at all, or one without its end.
"""

import dataclasses

from tl_keras.inputs.image import formats, pixels
from tl_keras.inputs.image.unrecognized_files import describe_unrecognized

FETCH = "fetch it again or take it away"
CONVERT = "fetch it again or convert it"
TURNED, ALPHA = "turned by its EXIF orientation", "transparent"
DEEP, FIRST_FRAME = "16 bits a channel", "animated: its first frame"
FIRST_PAGE = "of several pages: its first"
DAMAGED = "JPEG data damaged inside, which decodes to wrong pixels"
TRAILING, CMYK = "bytes after its end", "CMYK"
CUT = -1


@dataclasses.dataclass(frozen=True)
class HeaderFacts:
    """What Pillow says of a picture file.

    Attributes:
        format: a name of `formats.SUFFIXES`; "" for anything else.
        width, height: in pixels, before any EXIF rotation; 0 where Pillow
            opens nothing.
        notes: what is worth counting, such as `CMYK`.
        problem: why it cannot be used, with the remedy; "" where the decoder
            has to say.
    """

    format: str = ""
    width: int = 0
    height: int = 0
    notes: tuple[str, ...] = ()
    problem: str = ""


def read_facts(content: bytes) -> HeaderFacts:
    """Reads what Pillow sees without decoding; never raises.

    Args:
        content: all bytes of the file.

    Example:
        read_facts(b"").problem     # "empty file - fetch it again or ..."
    """
    if not content:
        return HeaderFacts(problem=f"empty file - {FETCH}")
    kind = formats.kind_of(content[: formats.ENOUGH])
    seen = pixels.peek(content)
    if kind.use == formats.GRAPH:
        deep = kind.name == "PNG" and content[24:25] == b"\x10"
        notes = {
            CMYK: seen.mode == "CMYK",
            FIRST_FRAME: seen.several,
            TURNED: seen.turned,
            ALPHA: seen.alpha,
            DEEP: deep,
        }
        end = _end_of(content, kind.name, seen.data_start)
        if end == CUT:
            problem = f"{kind.name} ends early - {FETCH}"
            return HeaderFacts(kind.name, problem=problem)
        notes[TRAILING] = end < len(content)
        said = tuple(note for note, holds in notes.items() if holds)
        return HeaderFacts(kind.name, seen.width, seen.height, said)
    if not (seen.width and seen.height):
        # Of what is no picture there is no format to count.
        name = kind.name if kind.use == formats.PILLOW else ""
        return HeaderFacts(name, problem=describe_unrecognized(content))
    notes = (FIRST_PAGE,) if seen.several else ()
    return HeaderFacts(kind.name, seen.width, seen.height, notes)


def _end_of(content: bytes, name: str, data_start: int) -> int:
    """Where a picture's data ends; `CUT` where its last mark is missing.

    TensorFlow's decoders of these three refuse a file without that mark.
    Where nothing is known, the end is that of the file.
    """
    if name == "JPEG" and data_start:
        # Inside the picture's data 0xFF is never followed by 0xD9.
        end = content.rfind(b"\xff\xd9", data_start)
        return CUT if end < 0 else end + 2
    if name == "PNG":
        end = content.rfind(b"IEND") + 8  # Its checksum is four bytes.
        return CUT if end < 8 or end > len(content) else end
    if name == "WebP":
        size = int.from_bytes(content[4:8], "little") + 8
        return CUT if size > len(content) else size + size % 2
    return len(content)


def explain(
    content: bytes, fault: str, max_pixels: int = pixels.MAX_PIXELS
) -> str:
    """Why a picture is refused, in words for a person, with the remedy.

    Args:
        content: all bytes of the file.
        fault: what `pixels.status` or a served model says of it, or anything
            else for a picture that failed as it was decoded.
        max_pixels: width x height above which Pillow decodes nothing.

    Returns:
        One line.

    Example:
        explain(b"<html>", "unknown format")
        # "HTML page - take it away or fetch the picture"
    """
    facts = read_facts(content)
    if facts.problem or fault.startswith("too large"):
        return facts.problem or fault
    if fault.startswith("no pixels: "):
        size = fault.removeprefix("no pixels: ")
        return f"its header says {size} - {FETCH}"
    if facts.format in formats.PILLOW_FORMATS:
        return (
            f"{facts.format} of a sort that is not read (raw, floating point, "
            "damaged) - convert it to JPEG or PNG"
        )
    if fault in pixels.FAULTS:
        return f"{fault} - {CONVERT}"
    words = pixels.pillow_fault(content, max_pixels)
    if facts.format == "PNG" and "checksum" in words:
        return f"PNG checksum is wrong - {FETCH}"
    why = f" ({words})" if words else ""
    return f"{facts.format} does not decode{why} - {CONVERT}"
