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

import numpy as np
import tensorflow as tf
from PIL import Image, ImageFile, ImageOps

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


def size_of(encoded: bytes) -> tuple[int, int, int]:
    """Width, height and pages of what Pillow alone opens; nothing is decoded.

    Args:
        encoded: bytes of a file of a kind in `kinds.PILLOW_FORMATS`.

    Returns:
        Zeros where Pillow does not open it.
    """
    kind = formats.kind_of(encoded[: formats.ENOUGH])
    format_ = formats.PILLOW_FORMATS.get(kind.name)
    if format_ is None:
        return 0, 0, 0
    with _limits(None):
        try:
            with _opened(encoded, format_) as image:
                return *image.size, getattr(image, "n_frames", 1)
        except Exception:
            return 0, 0, 0


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
