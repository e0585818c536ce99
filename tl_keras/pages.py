"""Values -> HTML pages that are safe to open and to pass on.

    html = render("data_report.html", report=report)
    uri = thumbnail(picture)            # data:image/jpeg;base64,...

In: a template of `templates/` and values. Out: one file that opens offline.
Every value is escaped; the content policy allows no script and nothing from
elsewhere; thumbnails are encoded anew, so that no EXIF (a place, a camera)
goes along.
"""

import base64
import functools
import io
import pathlib
import re
from collections.abc import Iterable

import jinja2
import markupsafe
import numpy as np
from PIL import Image

THUMBNAIL_SIDE = 128  # pixels of the longer side
TEMPLATES = pathlib.Path(__file__).parent / "templates"
# What turns the direction of text, and hides what a name ends with.
BIDI = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F}
# Wide and unbreakable blanks, and what joins letters and emoji: parts of names
# in many scripts, which Python does not call printable.
IN_NAMES = {0x00A0, 0x3000, 0x200C, 0x200D, *range(0xE0020, 0xE0080)}


def escape_controls(text: str) -> str:
    """A text in which nothing moves a cursor, or hides a part of it.

    Control characters, bytes that are no UTF-8, and marks that turn the
    direction of text become \\xNN or \\uNNNN.
    """
    return "".join(_shown(character) for character in text)


def escape_lines(lines: Iterable[str]) -> str:
    """Lines of a text for a terminal, each of them one line."""
    return "\n".join(escape_controls(line) for line in lines)


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if (character.isprintable() and code not in BIDI) or code in IN_NAMES:
        return character
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def render(template: str, **values) -> str:
    """Fills a template of `templates/`; a value it lacks is an error.

    Returns:
        A whole HTML page.
    """
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Whatever is put into a page passes here first.
        finalize=lambda value: (
            escape_controls(value) if type(value) is str else value
        ),
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    environment.filters["percent"] = lambda share: together(
        f"{100 * share:.1f} %"
    )
    environment.filters["together"] = together
    environment.filters["with_flags"] = _with_flags
    return environment


def together(text: str) -> markupsafe.Markup:
    """Escapes a text, and keeps numbers and their % on one line."""
    safe = str(markupsafe.escape(escape_controls(text)))
    return markupsafe.Markup(re.sub(r"(?<=\d) %", "&nbsp;%", safe))


def _with_flags(text: str) -> markupsafe.Markup:
    """As `together`, and keeps a --flag from being broken in two."""
    safe = str(together(text))
    return markupsafe.Markup(
        re.sub(r"--\w[\w=.]*", r'<span class="flag">\g<0></span>', safe)
    )


def thumbnail(picture: np.ndarray, side: int = THUMBNAIL_SIDE) -> str:
    """A small JPEG of a picture as a data: address.

    Args:
        picture: uint8 (height, width, 3).
        side: pixels of the longer side, at most.
    """
    image = Image.fromarray(np.ascontiguousarray(picture))
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=82)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/jpeg;base64,{encoded}"
