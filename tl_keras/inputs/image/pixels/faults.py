"""Why a picture is not decoded whatever its size: codes and their words.

In: nothing. Out: names of codes, and `FAULTS`, which has their words. In graphs
a fault is a number, the index there; people read the words.
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
    # What Pillow opens and a graph cannot: named, so that who sends it knows.
    "TIFF is not read here",
    "AVIF is not read here",
    "JPEG 2000 is not read here",
    "HEIC is not read here",
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
    TIFF,
    AVIF,
    JPEG_2000,
    HEIC,
) = range(len(FAULTS))
