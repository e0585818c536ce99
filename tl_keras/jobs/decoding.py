"""Settings about pictures -> how a picture's file becomes what a network sees.

In: a `DataConfig` and a size. Out: a `Decoding`. No Keras, which a check does
without.
"""

from tl_keras.config import DataConfig
from tl_keras.inputs.image.pixels import Decoding


def decoding_of(config: DataConfig, image_size: int) -> Decoding:
    """How a file's bytes become the network's square."""
    return Decoding(
        image_size,
        config.resize,
        config.alpha_background,
        config.bit_depth_scale,
        config.max_pixels,
    )
