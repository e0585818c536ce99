"""Bad inputs made on the spot: pictures, and a folder to put them in."""

import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image

from tl_keras.check import main


def picture(seed: int, size=(64, 48), mode="RGB") -> Image.Image:
    """A picture with shapes in it, unlike that of any other seed."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 255, (6, 8, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.BICUBIC).convert(mode)


def encode(image: Image.Image, form: str, **options) -> bytes:
    """An image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def jpeg(seed: int, **options) -> bytes:
    return encode(picture(seed), "JPEG", quality=92, **options)


def png(seed: int, **options) -> bytes:
    return encode(picture(seed), "PNG", **options)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def png_claiming(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG whose header says this size, over little data."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(data))
        + png_chunk(b"IEND", b"")
    )


def good_folder(root: pathlib.Path, count: int = 20) -> pathlib.Path:
    """Two classes of `count` ordinary JPEGs each."""
    for number, name in enumerate(("cat", "dog")):
        folder = root / name
        folder.mkdir(parents=True)
        for i in range(count):
            (folder / f"{i}.jpg").write_bytes(jpeg(1000 * number + i))
    return root


def as_csv(root: pathlib.Path, more: str = "") -> pathlib.Path:
    """A .csv beside the folder that lists all files of its class folders."""
    rows = "".join(
        f'"{file.relative_to(root.parent)}",{folder.name}\n'
        for folder in sorted(root.iterdir())
        if folder.is_dir()
        for file in sorted(folder.iterdir())
    )
    file = root.parent / "pictures.csv"
    file.write_text("path,label\n" + rows + more, encoding="utf-8")
    return file


class Outcome:
    """What a run of the check gave: code, lines, and the books."""

    def __init__(self, capsys, *arguments):
        self.code = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        self.out, self.err = captured.out, captured.err
        assert "Traceback" not in self.err
        self.errors = [
            line.removeprefix("error: ") for line in self.err.splitlines()
        ]
        lines = self.out.splitlines()
        self.skips = [
            line.removeprefix("skip: ")
            for line in lines
            if line.startswith("skip: ")
        ]
        self.warnings = [
            line.removeprefix("warning: ")
            for line in lines
            if line.startswith("warning: ")
        ]
        self.counts = None
        for line in lines:
            words = line.replace(",", "").split()
            if "found" in words:
                found, used, skipped, ignored = map(int, words[::3])
                assert found == used + skipped + ignored
                self.counts = (found, used, skipped, ignored)


def check(capsys, dataset, *flags) -> Outcome:
    """Runs `python -m tl_keras.check` in this process."""
    return Outcome(capsys, f"--dataset={dataset}", *flags)
