"""What the data check costs, in times of decoding every picture once.

    python -m benchmarks.check --pictures=10000 --rounds=3

In: nothing; ordinary pictures (600 x 400, about 24 kB) are made in a temporary
folder. Out: a table of ratios to plain decoding with the training decoder, the
least, median and largest of the rounds, which alternate. Then how long it takes
to list many files.
"""

import argparse
import os
import pathlib
import resource
import shutil
import statistics
import tempfile
import time

import numpy as np
from PIL import Image

SIZE = (600, 400)


def make_pictures(folder: pathlib.Path, count: int) -> None:
    """Distinct photographs of nothing, as JPEG, in ten classes."""
    for number in range(count):
        random = np.random.default_rng(number)
        coarse = random.integers(0, 255, (8, 12, 3), np.uint8)
        fine = random.integers(0, 14, (SIZE[1], SIZE[0], 1), np.uint8)
        image = np.asarray(Image.fromarray(coarse).resize(SIZE, Image.BICUBIC))
        picture = np.clip(image.astype(np.int16) + fine, 0, 255)
        file = folder / f"class{number % 10}" / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.astype(np.uint8)).save(file, quality=72)


def decode_once(listing) -> None:
    """Reads and decodes every picture, as an epoch of training would."""
    import tensorflow as tf

    from tl_keras.inputs.image import pixels

    files = list(listing.splits["train"].files)
    dataset = tf.data.Dataset.from_tensor_slices(files).map(
        lambda f: tf.shape(pixels.decode(tf.io.read_file(f)))[0],
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    for _ in dataset.batch(64).prefetch(2):
        pass


def measure(folder: pathlib.Path, rounds: int) -> None:
    """Prints the ratios of all ways, round by round in turn."""
    from tl_keras.audit import Rules, check_listing
    from tl_keras.data import list_dataset

    name = str(folder)
    cache = pathlib.Path(os.environ["XDG_CACHE_HOME"])
    near, plain = Rules(), Rules(near_duplicates=False)
    fast = Rules(check="fast")
    seconds: dict[str, list[float]] = {}

    def timed(way: str, call) -> None:
        began = time.perf_counter()
        call()
        seconds.setdefault(way, []).append(time.perf_counter() - began)

    decode_once(list_dataset(name))  # the files are in memory from here on
    for _ in range(rounds):
        for way, rules in (
            ("full check", plain),
            ("full check, near-duplicates", near),
            ("fast check", fast),
        ):
            shutil.rmtree(cache, ignore_errors=True)
            timed(
                way, lambda r=rules: check_listing(list_dataset(name), name, r)
            )
            if rules is near:
                timed(
                    "the same again, files unchanged",
                    lambda: check_listing(list_dataset(name), name, near),
                )
        timed("decode once", lambda: decode_once(list_dataset(name)))
    base = seconds["decode once"]
    print(f"{'':<34}{'least':>8}{'median':>8}{'largest':>8}")
    for way, times in seconds.items():
        ratios = [t / b for t, b in zip(times, base, strict=True)]
        row = (min(ratios), statistics.median(ratios), max(ratios))
        print(f"{way:<34}" + "".join(f"{r:>8.2f}" for r in row))
    print(f"decode once: {statistics.median(base):.2f} s (median)")


def measure_listing(folder: pathlib.Path, count: int) -> None:
    """Prints seconds and memory of listing `count` files in 100 classes."""
    from tl_keras.data import list_dataset

    for number in range(100):
        (folder / f"class{number:02}").mkdir(parents=True)
    for number in range(count):
        path = folder / f"class{number % 100:02}" / f"{number}.jpg"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    listing = list_dataset(str(folder))
    taken = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"listing {listing.found():,} files in 100 classes: {taken:.2f} s, "
        f"{(after - before) / 1024:.0f} MB more"
    )


def main() -> None:
    """Makes the pictures, measures, and takes them away again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=100_000)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with tempfile.TemporaryDirectory(prefix="tl_keras_check_") as temporary:
        root = pathlib.Path(temporary)
        os.environ["XDG_CACHE_HOME"] = str(root / "cache")
        measure_listing(root / "many", arguments.files)
        shutil.rmtree(root / "many")
        make_pictures(root / "pictures", arguments.pictures)
        size = sum(f.stat().st_size for f in root.rglob("*.jpg"))
        print(
            f"{arguments.pictures:,} pictures of {SIZE[0]} x {SIZE[1]}, "
            f"{size / arguments.pictures / 1000:.0f} kB each"
        )
        measure(root / "pictures", arguments.rounds)


if __name__ == "__main__":
    main()
