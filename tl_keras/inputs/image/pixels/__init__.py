"""Encoded bytes to uint8 pixels, in TensorFlow ops: the one decoder.

    decoding = pixels.Decoding(image_size=224)
    picture = decoding.load(tf.io.read_file("cat.jpg"))
    pixels.status(encoded)       # "" or why it will not be decoded

In: JPEG, PNG, GIF (first frame), BMP or WebP bytes. Out: a square RGB picture
`(image_size, image_size, 3)`, uint8, 0 to 255, upright by its EXIF, on a white
background where it is transparent. Training, evaluation, prediction and the
exported graph all call `load`, so they see the same pixels; all of it works in
`tf.data.Dataset.map`, under `tf.map_fn` in an exported signature, and eagerly.

Before anything is decoded the header is read: what is no picture, has more
than `max_pixels`, or would be decoded wrongly is refused with a reason.
`repair` makes some of those readable, through Pillow, and TIFF, AVIF, JPEG 2000
and HEIC too.
"""

from tl_keras.inputs.image.pixels.decoders import BIT_DEPTH_SCALES
from tl_keras.inputs.image.pixels.decoding import (
    DECODER_VERSION,
    WHITE,
    Decoding,
    decode,
    decode_passed,
    load,
)
from tl_keras.inputs.image.pixels.faults import FAULTS
from tl_keras.inputs.image.pixels.geometry import RESIZES, make_square
from tl_keras.inputs.image.pixels.header import (
    FORMATS,
    MAX_PIXELS,
    Header,
    read_header,
    status,
    verdict,
)
from tl_keras.inputs.image.pixels.repairing import (
    Peek,
    peek,
    pillow_fault,
    repair,
)

__all__ = [
    "BIT_DEPTH_SCALES",
    "DECODER_VERSION",
    "FAULTS",
    "FORMATS",
    "MAX_PIXELS",
    "RESIZES",
    "WHITE",
    "Decoding",
    "Header",
    "Peek",
    "decode",
    "decode_passed",
    "load",
    "make_square",
    "peek",
    "pillow_fault",
    "read_header",
    "repair",
    "status",
    "verdict",
]
