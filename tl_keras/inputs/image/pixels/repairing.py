"""Pictures that the graph refuses though Pillow reads them, made readable.

    encoded = repair(encoded) or encoded

In: bytes of a file. Out: bytes of a PNG with the same pixels, upright, or None
where there is nothing to mend, or nothing that can be. Not a graph op: it is
for the check of a folder, before the pictures are used.

Pillow is given one decoder by name, chosen by the first bytes, so none of its
others can be reached: no file of a stranger starts a program.
"""

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image, ImageFile, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from tl_keras.inputs.image import formats
from tl_keras.inputs.image.pixels import faults
from tl_keras.inputs.image.pixels.header import MAX_PIXELS, status

# What is refused -> the format it may be. What ends early is not here: a
# repair would hide that part of the picture is missing.
REPAIRED = {
    faults.FAULTS[faults.ANIMATED_WEBP]: "WEBP",
    faults.FAULTS[faults.BMP_KIND]: "BMP",
    faults.FAULTS[faults.JPEG_HEADER]: "JPEG",
}
# A kind's name -> Pillow's name of the one decoder that may open it.
DECODERS = {
    "JPEG": "JPEG",
    "PNG": "PNG",
    "GIF": "GIF",
    "BMP": "BMP",
    "WebP": "WEBP",
    **formats.PILLOW_FORMATS,
}
MAX_WORDS = 120  # letters of Pillow's own words
ORIENTATION = 0x0112  # of EXIF
# Tags of a TIFF by which its first picture is a preview of a raw photograph.
NEW_SUBFILE_TYPE, DNG_VERSION = 254, 50706
# Pillow's limits are settings of the module, the same for all threads.
_LOCK = threading.Lock()


def repair(encoded: bytes, max_pixels: int = MAX_PIXELS) -> bytes | None:
    """Makes a lossless PNG of a picture that the graph refuses to decode.

    TIFF (its first page), AVIF, JPEG 2000, HEIC where pillow-heif is
    installed; animated WebP (its first frame), BMP that is compressed, of 16
    bits or of OS/2, JPEG with garbage between its header's segments.

    Args:
        encoded: bytes of a picture file.
        max_pixels: width x height above which nothing is decoded.

    Returns:
        Bytes of a PNG, upright and without EXIF; None where the graph reads
        `encoded` as it is, and where Pillow cannot read all of it.
    """
    kind = formats.kind_of(encoded[: formats.ENOUGH])
    if kind.use == formats.PILLOW:
        return _as_png(encoded, formats.PILLOW_FORMATS[kind.name], max_pixels)
    reason = status(tf.constant(encoded), max_pixels).numpy().decode()
    if reason not in REPAIRED:
        return None
    return _as_png(encoded, REPAIRED[reason], max_pixels)


class Peek(NamedTuple):
    """What Pillow says of a picture before it decodes anything.

    Attributes:
        width, height: in pixels, as stored; 0 where Pillow opens nothing.
        several: whether it has more than one frame or page.
        turned: whether its EXIF says that it does not stand upright.
        alpha: whether some pixels may be transparent.
        mode: Pillow's name of the kind of pixels, such as "CMYK".
        data_start: where a JPEG's compressed data begins; else 0.
    """

    width: int = 0
    height: int = 0
    several: bool = False
    turned: bool = False
    alpha: bool = False
    mode: str = ""
    data_start: int = 0


def peek(encoded: bytes) -> Peek:
    """Opens a picture by the one decoder of its kind; decodes nothing.

    Args:
        encoded: bytes of a file of any kind.
    """
    name = formats.kind_of(encoded[: formats.ENOUGH]).name
    if name not in DECODERS:
        return Peek()
    with _limits(None):
        try:
            with _opened(encoded, DECODERS[name]) as image:
                data_start = image.fp.tell() if name == "JPEG" else 0
                # Not image.getexif, which decodes a PNG.
                exif = Image.Image.getexif(image)
                return Peek(
                    *image.size,
                    _has_several(image),
                    1 < exif.get(ORIENTATION, 1) <= 8,
                    image.has_transparency_data,
                    image.mode,
                    data_start,
                )
        except Exception:
            return Peek()


def _has_several(image: Image.Image) -> bool:
    try:
        # To count a GIF's frames is to walk through all of them.
        if image.format == "GIF":
            return image.is_animated
        return getattr(image, "n_frames", 1) > 1
    except Exception:  # It is cut behind its first.
        return False


def pillow_fault(encoded: bytes, max_pixels: int = MAX_PIXELS) -> str:
    """What Pillow says is wrong with a picture that the graph cannot decode.

    Args:
        encoded: bytes of a file of a kind that the graph reads.
        max_pixels: width x height above which nothing is decoded.

    Returns:
        Its words, in ASCII; "" where it finds nothing wrong.
    """
    name = formats.kind_of(encoded[: formats.ENOUGH]).name
    with _limits(max_pixels):
        try:
            with _opened(encoded, DECODERS[name]) as image:
                image.verify()
            with _opened(encoded, DECODERS[name]) as image:
                image.load()
        except Exception as error:
            return ascii(str(error))[1:-1][:MAX_WORDS]
    return ""


@contextlib.contextmanager
def _limits(max_pixels: int | None) -> Iterator[None]:
    """Pillow with a limit of pixels (None: it asks for no memory yet)."""
    with _LOCK, warnings.catch_warnings():
        # At the limit Pillow warns, at twice the limit it raises.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        kept = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        Image.MAX_IMAGE_PIXELS = max_pixels
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = kept


def _as_png(encoded: bytes, format_: str, max_pixels: int) -> bytes | None:
    with _limits(max_pixels):
        try:
            return _written(encoded, format_)
        # Pillow's readers raise many kinds of errors on damaged files.
        except Exception:
            return None


def _opened(encoded: bytes, format_: str) -> Image.Image:
    if format_ == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    if format_ == "JPEG":
        # Image.open would make a picture of several frames of some.
        return JpegImageFile(io.BytesIO(encoded))
    if format_ == "PNG":  # It would not say what is wrong.
        return PngImageFile(io.BytesIO(encoded))
    image = Image.open(io.BytesIO(encoded), formats=[format_])
    tags = getattr(image, "tag_v2", {})
    if DNG_VERSION in tags or tags.get(NEW_SUBFILE_TYPE, 0) & 1:
        raise ValueError("a raw photograph, of which this is the preview")
    return image


def _written(encoded: bytes, format_: str) -> bytes:
    with _opened(encoded, format_) as image:
        image.load()
        see_through = image.has_transparency_data
        image = ImageOps.exif_transpose(image)
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            image = _sixteen_bits(image)
        else:
            image = image.convert("RGBA" if see_through else "RGB")
    image.info.clear()  # Or EXIF and profiles would be written again.
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _sixteen_bits(image: Image.Image) -> Image.Image:
    """Deep grey as a 16-bit PNG, which the graph scales as any other.

    Raises:
        ValueError: values that 16 bits do not hold; to scale them would be a
            guess.
    """
    values = np.asarray(image)
    whole = values.astype(np.uint16)
    if not np.array_equal(whole, values):
        raise ValueError("values beyond 16 bits")
    return Image.fromarray(whole)
