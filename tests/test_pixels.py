"""pixels.py: decoding and geometry, against Pillow."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tl_keras import pixels

RANDOM = np.random.default_rng(0)
PICTURE = np.kron(
    RANDOM.integers(0, 255, (6, 9, 3), dtype=np.uint8),
    np.ones((10, 10, 1), np.uint8),
)  # 60 x 90, in blocks that survive JPEG


def encode(kind: str, picture=PICTURE, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "JPEG"])
def test_decodes_what_pillow_decodes(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    encoded = encode(kind, **options)
    expected = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))
    decoded = pixels.decode(encoded).numpy()
    assert decoded.dtype == np.uint8
    difference = np.abs(decoded.astype(int) - expected)
    assert difference.mean() <= (2 if kind == "JPEG" else 0)


def test_grey_becomes_three_equal_channels():
    decoded = pixels.decode(encode("PNG", PICTURE[..., 0])).numpy()
    for channel in range(3):
        np.testing.assert_array_equal(decoded[..., channel], PICTURE[..., 0])


def pillow(resize: str, size: int) -> np.ndarray:
    """The same geometry by Pillow, whose bilinear filter is antialiased."""
    image = Image.fromarray(PICTURE)
    if resize == "crop":
        image = image.crop((15, 0, 75, 60))
    if resize == "pad":
        inner = image.resize((size, size * 60 // 90), Image.BILINEAR)
        image = Image.new("RGB", (size, size))
        image.paste(inner, (0, (size - inner.height) // 2))
        return np.asarray(image)
    return np.asarray(image.resize((size, size), Image.BILINEAR))


@pytest.mark.parametrize("resize", list(pixels.RESIZES))
@pytest.mark.parametrize("size", [30, 120])
def test_geometry_is_pillows(resize, size):
    made = pixels.load(encode("PNG"), size, resize).numpy()
    assert made.shape == (size, size, 3)
    assert made.dtype == np.uint8
    difference = np.abs(made.astype(int) - pillow(resize, size))
    assert difference.max() <= 2


def test_a_square_of_the_right_size_is_untouched():
    square = PICTURE[:60, :60]
    made = pixels.load(encode("PNG", square), 60).numpy()
    np.testing.assert_array_equal(made, square)


def test_the_same_in_a_graph_with_an_unknown_shape():
    run = tf.function(
        lambda e: pixels.load(e, 33, "crop"),
        input_signature=[tf.TensorSpec((), tf.string)],
    )
    np.testing.assert_array_equal(
        run(encode("PNG")), pixels.load(encode("PNG"), 33, "crop")
    )


def test_an_unknown_resize_is_refused():
    with pytest.raises(ValueError, match="crop, squash, pad"):
        pixels.load(encode("PNG"), 8, "stretch")
