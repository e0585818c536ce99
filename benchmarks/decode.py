"""Large photographs to 224 pixels: our decoder against decode + resize."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from benchmarks.material import photographs
from benchmarks.rounds import compare, describe_machine, rounds_asked
from tl_keras import pixels

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


def pass_over(encoded: list[bytes], load) -> np.ndarray:
    """All pictures through a parallel map, as a pipeline reads them."""
    data = tf.data.Dataset.from_tensor_slices(encoded)
    data = data.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    return np.stack([picture.numpy() for picture in data])


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
        pass_over(encoded, plainly)
        return {}

    # One function for every pass, as the pipelines have it.
    load = tf.function(
        pixels.Decoding(224).load,
        input_signature=[tf.TensorSpec([], tf.string)],
    )
    pass_over(encoded[:1], load)

    def ours():
        pass_over(encoded, load)
        return {}

    compare(
        f"{COUNT} JPEGs of 12 megapixels to 224 pixels",
        peer,
        {"ours": (ours, 1.7)},
        rounds=rounds,
    )
    one = pass_over(encoded, plainly)
    two = pass_over(encoded, load).astype(float)
    worst = np.abs(one - two).mean((1, 2, 3)).max()
    print(f"  mean difference, the worst picture: {worst:.2f} grey levels")


if __name__ == "__main__":
    main()
