"""Pictures that are nobody's: for a server's warm-up and the export's gate.

In: the side of the model's square. Out: bytes of a picture file.
"""

import numpy as np
import tensorflow as tf

DRAWN = "a drawn picture"


def sample_picture(image_size: int) -> bytes:
    """A JPEG of noise, twice as large as the model's square.

    Nobody's picture: it travels with the export.
    """
    side = 2 * image_size
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    return tf.io.encode_jpeg(noise, quality=75).numpy()


def drawn_picture(size: int, max_pixels: int) -> dict[str, bytes]:
    """{name: a PNG} that shows what a data set's own pictures may not.

    Grey ones look alike in RGB and BGR, and those that have the model's size
    in every resize. This one is coloured, oblong, larger than the square, and
    has edges at all places.

    Args:
        size: side of the model's square.
        max_pixels: above which nothing is decoded.

    Returns:
        {} where it would be too large to decode.
    """
    height, width = 5 * size // 3 + 1, 9 * size // 4 + 1
    if height * width > max_pixels:
        return {}
    blocks = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    rows = np.arange(height) * 9 // height
    columns = np.arange(width) * 13 // width
    picture = blocks[rows][:, columns]
    return {DRAWN: tf.io.encode_png(picture).numpy()}
