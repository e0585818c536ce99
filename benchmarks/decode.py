"""Large photographs to 224 pixels: our decoder against decode + resize."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from benchmarks.material import photographs
from benchmarks.rounds import compare, describe_machine, rounds_asked
from tl_keras.data import Examples
from tl_keras.inputs.image import pixels
from tl_keras.sources import LabelledExamples

SIDES = (4000, 3000)  # 12 megapixels
COUNT = 100


def large_jpegs() -> list[bytes]:
    """Photographs enlarged to 12 megapixels."""
    encoded = []
    for file in sorted((photographs() / "train" / "cats").iterdir())[:COUNT]:
        buffer = io.BytesIO()
        picture = Image.open(file).convert("RGB")
        picture.resize(SIDES, Image.Resampling.LANCZOS).save(
            buffer, "JPEG", quality=90
        )
        encoded.append(buffer.getvalue())
    return encoded


def peers_pass(encoded: list[bytes]) -> np.ndarray:
    """All pictures through a parallel map, as a pipeline reads them."""
    data = tf.data.Dataset.from_tensor_slices(encoded)
    data = data.map(plainly, num_parallel_calls=tf.data.AUTOTUNE)
    return np.stack([picture.numpy() for picture in data])


def our_pass(encoded: list[bytes]) -> np.ndarray:
    """As what is decoded once is read: for activations, or into memory."""
    names = tuple(map(str, range(len(encoded))))
    labels = np.zeros(len(encoded), np.int32)
    examples = Examples(names, labels, encoded=tuple(encoded))
    images = LabelledExamples(examples, pixels.Decoding(224))
    return np.concatenate([batch.numpy() for batch in images.once(32)])


def plainly(encoded: tf.Tensor) -> tf.Tensor:
    """All of the picture decoded, its centre square antialiased to 224."""
    picture = tf.io.decode_jpeg(encoded, channels=3)
    height, width = tf.shape(picture)[0], tf.shape(picture)[1]
    side = tf.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    return tf.image.resize(square, (224, 224), antialias=True)


def main() -> None:
    """The ratio, and how far the pixels are apart."""
    rounds = rounds_asked(5)
    describe_machine()
    encoded = large_jpegs()

    def peer():
        peers_pass(encoded)
        return {}

    def ours():
        our_pass(encoded)
        return {}

    # A process traces the decoder once.
    our_pass(encoded[:1])

    compare(
        f"{COUNT} JPEGs of 12 megapixels to 224 pixels",
        peer,
        {"ours": (ours, 1.7)},
        rounds=rounds,
    )
    one = peers_pass(encoded)
    two = our_pass(encoded).astype(float)
    worst = np.abs(one - two).mean((1, 2, 3)).max()
    print(f"  mean difference, the worst picture: {worst:.2f} grey levels")


if __name__ == "__main__":
    main()
