"""What a check leaves out is what an export refuses, over hostile files."""

import random
import struct

import numpy as np
import pytest
import tensorflow as tf
from pictures import (
    COLOR,
    PALETTE,
    bitmap,
    chunk,
    encode,
    exif,
    gif,
    with_alpha,
)
from pictures import animated_webp as moving_webp
from test_fuzz import mutated, originals

from tl_keras.audit import Rules, check_listing, reading
from tl_keras.data import Examples, Listing
from tl_keras.inputs.image import formats, pixels
from tl_keras.inputs.image.header_facts import explain, read_facts
from tl_keras.inputs.image.pixels.rows import DAMAGED

JPEG, PNG = encode("JPEG"), encode("PNG")
NOTE = chunk(b"tEXt", b"a\0b")
GIF = gif((9, 8), (0, 0), (9, 8), frames=3)
ALONE = gif((9, 8), (0, 0), (9, 8))
WEBPS = {
    "lossy": encode("WEBP"),
    "lossless": encode("WEBP", lossless=True),
    "extended": encode("WEBP", with_alpha(COLOR), exif=exif(6)),
}
MASKS = struct.pack("<III", 0xFF, 0xFF00, 0xFF0000)


def flipped(content: bytes, place: int) -> bytes:
    """With one bit changed."""
    changed = bytearray(content)
    changed[place] ^= 1
    return bytes(changed)


def of_size(webp: bytes, more: int) -> bytes:
    """Whose first size is larger, or smaller, than it is."""
    size = struct.unpack_from("<I", webp, 4)[0] + more
    return webp[:4] + struct.pack("<I", max(0, size)) + webp[8:]


def first_of_two_cut() -> bytes:
    """A whole JPEG, and the beginning of another behind it, as phones do."""
    return JPEG + JPEG[: len(JPEG) // 2]


CASES = {
    "empty": b"",
    "HTML": b"<!DOCTYPE html><html>",
    "three bytes of a JPEG": b"\xff\xd8\xff",
    "JPEG": JPEG,
    "JPEG without its last byte": JPEG[:-1],
    "JPEG cut": JPEG[: len(JPEG) // 2],
    "JPEG whose EXIF holds an end": encode(
        "JPEG", exif=exif(6) + b"\xff\xd9"
    )[:-2],
    "JPEG and half of another": first_of_two_cut(),
    "JPEG with garbage in its header": JPEG[:20] + b"zz" + JPEG[20:],
    "JPEG with letters of a raw photograph": b"\xff\xd8\xff\xfe\0\x06xxCR"
    + JPEG[2:],
    "JPEG and more": JPEG + b"x",
    "CMYK": encode("JPEG", COLOR.convert("CMYK")),
    "PNG": PNG,
    "PNG without IEND": PNG[:-12],
    "PNG without its last byte": PNG[:-1],
    "PNG with a wrong last checksum": flipped(PNG, -1),
    "PNG with a wrong first checksum": flipped(PNG, 29),
    "PNG with wrong pixels": flipped(PNG, PNG.index(b"IDAT") + 40),
    "PNG whose note is damaged": PNG[:33] + flipped(NOTE, -1) + PNG[33:],
    "PNG whose last note is damaged": PNG[:-12] + flipped(NOTE, -1)
    + PNG[-12:],
    "PNG whose eighth byte is another": flipped(PNG, 7),
    "GIF of several frames": GIF,
    "GIF cut in its second frame": GIF[: len(ALONE) + 20],
    "GIF without its last byte": GIF[:-1],
    "GIF cut in its first frame": ALONE[:-5],
    "GIF and more": ALONE[:-1] + b"junk",
    "GIF of another year": b"GIF90a" + GIF[6:],
    "GIF larger than its screen": gif((4, 4), (2, 2), (9, 8)),
    "GIF without a screen": gif((0, 0), (0, 0), (9, 8)),
    "GIF of an empty frame": GIF.replace(
        b",\0\0\0\0\x09\0\x08\0", b",\0\0\0\0\0\0\0\0"
    ),
    "GIF without a frame": encode("GIF", PALETTE)[:61] + b";",
    "BMP": encode("BMP"),
    "BMP of a palette": encode("BMP", PALETTE),
    "BMP without its last byte": encode("BMP")[:-1],
    "BMP of 20 bytes": encode("BMP")[:20],
    "BMP of masks": bitmap(32, 3, bytes(32), masks=MASKS),
    "BMP of 16 bits": bitmap(16, 0, bytes(16)),
    "text that begins as a BMP": b"BM is a company" + b" words" * 20,
    "BMP of an unknown header": encode("BMP")[:14] + b"\x2c"
    + encode("BMP")[15:],
    "WebP that moves": moving_webp(),
    "WAV": b"RIFF\x24\0\0\0WAVEfmt " + bytes(28),
    "TIFF": encode("TIFF"),
    "TIFF cut": encode("TIFF")[:200],
    **{
        f"WebP, {kind}, {more:+}": of_size(webp, more)
        for kind, webp in WEBPS.items()
        for more in (-100, -2, 2, 100)
    },
    **{
        f"WebP, {kind}, cut by {count}": webp[:-count]
        for kind, webp in WEBPS.items()
        for count in (1, 2, 20)
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    draw = random.Random(18)
    seeds = originals()
    more = (mutated(draw.choice(seeds)[1], draw) for _ in range(250))
    return CASES | {f"mutated {n}": content for n, content in enumerate(more)}


@pytest.fixture(scope="module")
def served(files) -> dict[str, str]:
    """What a graph such as an export holds says of each: "" or a reason."""

    @tf.function(input_signature=[tf.TensorSpec((), tf.string)])
    def load(encoded):
        return pixels.Decoding(8).load(encoded)

    said = {}
    for name, content in files.items():
        said[name] = pixels.status(content).numpy().decode()
        if not said[name]:
            try:
                load(content)
            except tf.errors.OpError:
                said[name] = DAMAGED
    return said


@tf.function(input_signature=[tf.TensorSpec((), tf.string)])
def header_of(encoded):
    """Format, width, height."""
    return pixels.read_header(encoded)[:3]


def skipped(files, check: str) -> dict[str, str]:
    """Id -> why a check leaves it out, by no rule but whether it is read."""
    rules = Rules(
        check=check, max_bad_fraction=1, min_side=1, max_aspect=1e9,
        near_duplicates=False,
    )  # fmt: skip
    examples = Examples(
        tuple(files),
        np.arange(len(files), dtype=np.int32) % 2,
        encoded=tuple(files.values()),
    )
    listing = Listing({"test": examples}, ("one", "two"), {})
    report = check_listing(listing, "hostile", rules)
    return {skip.id: skip.reason for skip in report.listing.skipped}


def test_a_full_check_leaves_out_what_an_export_refuses(files, served):
    """In memory, where nothing is repaired: no more of them and no fewer."""
    left_out = skipped(files, "full")
    assert set(left_out) == {name for name, why in served.items() if why}
    assert 50 < len(left_out) < len(files) - 50  # Both happen.
    assert all(" - " in why for why in left_out.values())
    assert all(why.isprintable() for why in left_out.values())


def test_a_fast_check_leaves_out_nothing_that_an_export_answers(files, served):
    left_out = skipped(files, "fast")
    assert set(left_out) <= {name for name, why in served.items() if why}
    headers = {
        "empty", "HTML", "JPEG cut", "PNG without IEND", "BMP of 16 bits",
        "GIF cut in its first frame", "GIF without a frame", "WebP that moves",
        "TIFF", "text that begins as a BMP",
    }  # fmt: skip
    assert headers <= set(left_out)


def test_pillow_and_the_decoder_read_the_same_size(files, served):
    """By which a fast check judges JPEG and PNG."""
    compared = 0
    for name, content in files.items():
        number, *size = map(int, header_of(content))
        format_ = pixels.FORMATS[number]
        if format_ in reading.BY_PILLOW and not served[name]:
            seen = pixels.peek(content)
            assert [seen.width, seen.height] in (size, [0, 0]), name
            compared += seen.width > 0
    assert compared > 20


def test_first_bytes_mean_the_same_to_both(files):
    for name, content in files.items():
        kind = formats.kind_of(content[: formats.ENOUGH])
        said = pixels.FORMATS[int(header_of(content)[0])]
        known = kind.name if kind.use == formats.GRAPH else "unknown"
        assert said == known, name


def test_what_pillow_sees_decides_nothing(files, served):
    """A problem without the decoder is one that it has as well."""
    for name, content in files.items():
        if read_facts(content).problem:
            assert served[name], name


WORDS = {
    "JPEG cut": "JPEG ends early - ",
    "JPEG with garbage in its header": "damaged JPEG header - ",
    "PNG with wrong pixels": "PNG checksum is wrong - ",
    "PNG with a wrong first checksum": "PNG checksum is wrong - ",
    "GIF of an empty frame": "GIF does not decode",
    "BMP of 16 bits": "BMP of a kind not read here - ",
    "text that begins as a BMP": "text, no picture - ",
    "WebP that moves": "animated WebP - ",
    "TIFF": "TIFF of a sort that is not read",
}


@pytest.mark.parametrize("case", WORDS)
def test_a_refusal_is_explained_with_its_remedy(case, served):
    assert explain(CASES[case], served[case]).startswith(WORDS[case])
