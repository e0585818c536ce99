"""What can be done with a picture file's bytes alone: shown, mended, explained.

In: bytes. Out: pixels for a page, bytes that TensorFlow reads, or words; see
`inputs.kinds`.
"""

import tensorflow as tf

from tl_keras.inputs.image import formats, pixels
from tl_keras.inputs.image.header_facts import explain
from tl_keras.inputs.image.libjpeg_warnings import heard
from tl_keras.inputs.kinds import Kind, Preview

MAX_PIXELS = 30_000_000  # of a picture that is decoded to be shown


class ImageKind(Kind):
    """Picture files."""

    name = "image"

    def mended(self, encoded: bytes) -> bytes | None:
        """What Pillow alone reads, as a PNG."""
        return pixels.repair(encoded)

    def explain(self, encoded: bytes, status: str) -> str:
        """As `header_facts.explain`."""
        return explain(encoded, status)

    def preview(self, encoded: bytes) -> Preview:
        """All of the picture, upright; a JPEG that ends early as far as it
        goes."""
        try:
            with heard():
                encoded = pixels.repair(encoded, MAX_PIXELS) or encoded
                return Preview(_shown(encoded).numpy())
        except (tf.errors.OpError, ValueError):
            return Preview(None)


def _shown(content: bytes) -> tf.Tensor:
    try:
        return pixels.decode(tf.constant(content), max_pixels=MAX_PIXELS)
    except tf.errors.InvalidArgumentError:
        if pixels.status(content, MAX_PIXELS) != "" or (
            formats.kind_of(content[: formats.ENOUGH]).name != "JPEG"
        ):
            raise
    return tf.io.decode_jpeg(content, channels=3, try_recover_truncated=True)
