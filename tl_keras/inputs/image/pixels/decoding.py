"""`Decoding`: how bytes become the pixels a network sees, in one value.

    decoding = Decoding(image_size=224)
    picture = decoding.load(tf.io.read_file("cat.jpg"))
    decoding.describe()          # part of a content key

In: settings, once; then bytes. Out: uint8 squares, and words that change when
the squares would.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import tensorflow as tf

from tl_keras.errors import ConfigError
from tl_keras.inputs.image.augmentation import (
    AUGMENTS,
    BY_TURNS,
    augment_picture,
)
from tl_keras.inputs.image.pixels.decoders import BIT_DEPTH_SCALES, decode_known
from tl_keras.inputs.image.pixels.exif import upright
from tl_keras.inputs.image.pixels.geometry import (
    check_resize,
    count_halvings,
    fit,
)
from tl_keras.inputs.image.pixels.header import (
    JPEG,
    MAX_PIXELS,
    Header,
    read_header,
    traced,
    verdict,
)
from tl_keras.inputs.image.pixels.made_up import (
    drawn_picture,
    sample_picture,
)
from tl_keras.inputs.image.pixels.rows import DECODED_AT_ONCE, load_rows
from tl_keras.inputs.input import Input

# Counts up when the same bytes give other pixels than before.
DECODER_VERSION = 3
WHITE = (255, 255, 255)
BYTES_PER_PIXEL = 3
COPIES = 2  # of a picture, while it is made square


@dataclasses.dataclass(frozen=True)
class Decoding(Input):
    """How a picture file becomes a square of pixels.

    Attributes:
        image_size: side of the square, in pixels.
        resize: one of `RESIZES`.
        background: RGB, 0 to 255, under what is transparent.
        bit_depth_scale: one of `BIT_DEPTH_SCALES`, for 16-bit PNG.
        max_pixels: width x height above which nothing is decoded.

    Raises:
        ConfigError: one of them cannot be.
    """

    image_size: int
    resize: str = "crop"
    background: tuple[int, int, int] = WHITE
    bit_depth_scale: str = "auto"
    max_pixels: int = MAX_PIXELS

    kind: ClassVar[str] = "image"
    serving_name: ClassVar[str] = "image_bytes"
    loaded_signature: ClassVar[str] = "serving_float"
    # As TensorFlow's data sets name it.
    example_key: ClassVar[str] = "image/encoded"
    # A JPEG that ends after its first bytes.
    damaged: ClassVar[bytes] = b"\xff\xd8\xff"
    augments: ClassVar[tuple[str, ...]] = AUGMENTS
    by_turns: ClassVar[Mapping[str, str]] = BY_TURNS

    def __post_init__(self):
        check_resize(self.resize)
        _check(self.background, self.bit_depth_scale)
        for name in ("image_size", "max_pixels"):
            value = getattr(self, name)
            if value < 1:
                raise ConfigError(f"{name}={value}: expected 1 or more")

    @property
    def specs(self) -> tf.TensorSpec:
        """uint8 (image_size, image_size, 3)."""
        return tf.TensorSpec((self.image_size, self.image_size, 3), tf.uint8)

    @property
    def served_specs(self) -> tf.TensorSpec:
        """float32 (b, image_size, image_size, 3), 0 to 255: "pixels"."""
        shape = (None, *self.specs.shape)
        return tf.TensorSpec(shape, tf.float32, name="pixels")

    def load(self, encoded: tf.Tensor) -> tf.Tensor:
        """Decodes one picture, turns it upright and makes it square.

        Eagerly, in a `tf.data` map and in an exported graph it is the same
        graph function, traced once in a process. A JPEG much larger than
        needed is decoded at a part of its size.

        Args:
            encoded: scalar string tensor, the bytes of a picture file.

        Returns:
            uint8 tensor (image_size, image_size, 3), RGB, 0 to 255.

        Raises:
            tf.errors.InvalidArgumentError: the bytes are no picture that is
                read here, end early, or hold too many pixels (raised when the
                op runs, the last before anything is decoded).
        """
        return _traced_load(self)(tf.convert_to_tensor(encoded, tf.string))

    def load_rows(self, encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As `Input.load_rows`; black where nothing could be read."""
        return load_rows(encoded, _traced_examine(self), self.image_size)

    def augment(
        self, tensors: tf.Tensor, key: tf.Tensor, augment: str
    ) -> tf.Tensor:
        """As `augment_picture`."""
        return augment_picture(tensors, key, augment)

    def sample(self) -> bytes:
        """A JPEG of noise."""
        return sample_picture(self.image_size)

    def probe(self) -> dict[str, bytes]:
        """A coloured, oblong PNG, where `max_pixels` allows one."""
        return drawn_picture(self.image_size, self.max_pixels)

    def peak_bytes(self) -> int:
        """Of the largest pictures that are decoded at once."""
        return COPIES * DECODED_AT_ONCE * self.max_pixels * BYTES_PER_PIXEL

    def numbers(self) -> dict[str, int]:
        """The side of the square."""
        return {"image_size": self.image_size}

    def in_words(self) -> str:
        """ "224 x 224 pixels"."""
        return f"{self.image_size} x {self.image_size} pixels"

    def _load(self, encoded: tf.Tensor) -> tf.Tensor:
        return self._square(*_checked(encoded, self.max_pixels))

    def _examine(self, encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """As `_load`; what its header refuses is black, with the reason."""
        header = read_header(encoded)
        reason = verdict(header, self.max_pixels)
        square = tf.cond(
            reason == "",
            lambda: self._square(encoded, header),
            lambda: tf.zeros(self.specs.shape, tf.uint8),
        )
        return square, reason

    def _square(self, encoded: tf.Tensor, header: Header) -> tf.Tensor:
        halvings = count_halvings(
            header.width, header.height, self.image_size, self.resize
        )
        halvings = tf.where(header.format == JPEG, halvings, 0)
        picture = decode_known(
            encoded, header, self.background, self.bit_depth_scale, halvings
        )
        return fit(
            picture,
            tf.stack([header.height, header.width]),
            halvings,
            header.orientation,
            self.image_size,
            self.resize,
        )

    def describe(self) -> str:
        """Words that change whenever the pixels of a picture would."""
        red, green, blue = self.background
        return (
            f"decoder {DECODER_VERSION}, {self.resize} to {self.image_size}, "
            f"on {red} {green} {blue}, bit depth {self.bit_depth_scale}"
        )


@functools.lru_cache(maxsize=16)
def _traced_load(decoding: Decoding):
    """`decoding.load` as a graph; some 500 operations, a second to trace."""
    return traced(decoding._load, tf.TensorSpec((), tf.string))


@functools.lru_cache(maxsize=16)
def _traced_examine(decoding: Decoding):
    """The same for the exported graph, where one of a batch may be none."""
    return traced(decoding._examine, tf.TensorSpec((), tf.string))


@tf.autograph.experimental.do_not_convert
def decode(
    encoded: tf.Tensor,
    *,
    background: tuple[int, int, int] = WHITE,
    bit_depth_scale: str = "auto",
    max_pixels: int = MAX_PIXELS,
) -> tf.Tensor:
    """Decodes one picture at its own size, upright.

    Args:
        encoded: scalar string tensor, the bytes of a picture file.
        background: RGB, 0 to 255, under what is transparent.
        bit_depth_scale: one of `BIT_DEPTH_SCALES`, for 16-bit PNG.
        max_pixels: width x height above which nothing is decoded.

    Returns:
        uint8 tensor of shape (height, width, 3), RGB, 0 to 255.

    Raises:
        ConfigError: an option cannot be.
        tf.errors.InvalidArgumentError: as `Decoding.load`.
    """
    _check(background, bit_depth_scale)
    encoded, header = _checked(encoded, max_pixels)
    return decode_passed(encoded, header, background, bit_depth_scale)


def decode_passed(
    encoded: tf.Tensor,
    header: Header,
    background: tuple[int, int, int] = WHITE,
    bit_depth_scale: str = "auto",
) -> tf.Tensor:
    """`decode` of a picture whose header is read, and passed by `verdict`.

    Args:
        encoded: scalar string tensor, the bytes of a picture file.
        header: what `read_header` says of it.
        background, bit_depth_scale: as in `decode`.

    Returns:
        uint8 tensor (height, width, 3), RGB, upright.
    """
    picture = decode_known(encoded, header, background, bit_depth_scale)
    return upright(picture, header.orientation)


def load(
    encoded: tf.Tensor, image_size: int, resize: str = "crop"
) -> tf.Tensor:
    """`Decoding(image_size, resize).load(encoded)`.

    Args:
        encoded: a string tensor (), a picture file's bytes.
        image_size: side of the square, in pixels.
        resize: "crop", "squash" or "pad".

    Returns:
        As `Decoding.load`.
    """
    return Decoding(image_size, resize).load(encoded)


def _checked(encoded: tf.Tensor, max_pixels: int) -> tuple[tf.Tensor, Header]:
    """The bytes, out of which nothing comes before the header was judged."""
    encoded = tf.convert_to_tensor(encoded, tf.string)
    header = read_header(encoded)
    reason = verdict(header, max_pixels)
    passed = tf.raw_ops.Assert(condition=reason == "", data=[reason])
    # No decoder may start before the verdict: it would fill the memory.
    with tf.control_dependencies([passed]):
        return tf.identity(encoded), header


def _check(background: tuple[int, int, int], bit_depth_scale: str) -> None:
    if len(background) != 3 or not all(0 <= x <= 255 for x in background):
        raise ConfigError(
            f"background={background!r}: expected three numbers, 0 to 255"
        )
    if bit_depth_scale not in BIT_DEPTH_SCALES:
        raise ConfigError(
            f"bit_depth_scale={bit_depth_scale!r}: expected one of "
            f"{', '.join(BIT_DEPTH_SCALES)}"
        )
