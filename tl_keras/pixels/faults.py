"""Why a picture is not decoded whatever its size: codes and their words.

In graphs a fault is a number, the index in `FAULTS`; people read the words.
"""

FAULTS = (
    "",
    "empty file",
    "unknown format",
    "damaged JPEG header",
    "damaged PNG header",
    "damaged WebP header",
    "animated WebP",
    "GIF without a frame",
    "GIF ends early",
    "BMP of a kind not read here",
    "BMP ends early",
)
(
    NONE,
    EMPTY,
    UNKNOWN,
    JPEG_HEADER,
    PNG_HEADER,
    WEBP_HEADER,
    ANIMATED_WEBP,
    GIF_NO_FRAME,
    GIF_CUT,
    BMP_KIND,
    BMP_CUT,
) = range(len(FAULTS))
