"""Pictures that the graph refuses though Pillow reads them, made readable.

    encoded = repair(encoded) or encoded

In: bytes of a file. Out: bytes of a PNG with the same pixels, upright, or None
where there is nothing to mend, or nothing that can be. Not a graph op: it is
for the check of a folder, before the pictures are used.
"""

import io
import threading
import warnings

import tensorflow as tf
from PIL import Image, ImageFile, ImageOps

from tl_keras.pixels import faults
from tl_keras.pixels.header import MAX_PIXELS, status

# What is refused -> the format it may be. What ends early is not here: a
# repair would hide that part of the picture is missing.
REPAIRED = {
    faults.FAULTS[faults.ANIMATED_WEBP]: "WEBP",
    faults.FAULTS[faults.BMP_KIND]: "BMP",
    faults.FAULTS[faults.JPEG_HEADER]: "JPEG",
}
# Pillow's limits are settings of the module, the same for all threads.
_LOCK = threading.Lock()


def repair(encoded: bytes, max_pixels: int = MAX_PIXELS) -> bytes | None:
    """Makes a lossless PNG of a picture that the graph refuses to decode.

    Animated WebP (its first frame), BMP that is compressed, of 16 bits or of
    OS/2, JPEG with garbage between its header's segments.

    Args:
        encoded: bytes of a picture file.
        max_pixels: width x height above which nothing is decoded.

    Returns:
        Bytes of a PNG, upright and without EXIF; None where the graph reads
        `encoded` as it is, and where Pillow cannot read all of it.
    """
    reason = status(tf.constant(encoded), max_pixels).numpy().decode()
    if reason not in REPAIRED:
        return None
    return _as_png(encoded, REPAIRED[reason], max_pixels)


def _as_png(encoded: bytes, kind: str, max_pixels: int) -> bytes | None:
    with _LOCK, warnings.catch_warnings():
        # At the limit Pillow warns, at twice the limit it raises.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        kept = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        Image.MAX_IMAGE_PIXELS = max_pixels
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            return _written(encoded, kind)
        # Pillow's readers raise many kinds of errors on damaged files.
        except Exception:
            return None
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = kept


def _written(encoded: bytes, kind: str) -> bytes:
    with Image.open(io.BytesIO(encoded), formats=[kind]) as image:
        image.load()
        see_through = image.has_transparency_data
        image = ImageOps.exif_transpose(image)
        image = image.convert("RGBA" if see_through else "RGB")
    image.info.clear()  # Or EXIF and profiles would be written again.
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
