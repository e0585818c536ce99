"""How cost grows with the number of pictures: listing, memory, time.

Empty files are listed (100,000 of them in 100 classes); then generated
pictures, 1,000 and 10,000, go through a whole run in a process of its own
whose memory limits for features and pixels are set far below their size.
Linux only.
"""

import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

from benchmarks.rounds import describe_machine
from tl_keras.data.folders import list_folder

SIDE = 64


def index_seconds(folder: pathlib.Path, files: int, classes: int) -> float:
    """Seconds to list so many files."""
    for label in range(classes):
        place = folder / f"class{label:03}"
        place.mkdir(parents=True)
        for number in range(files // classes):
            (place / f"{number:06}.jpg").touch()
    began = time.perf_counter()
    listing = list_folder(str(folder))
    seconds = time.perf_counter() - began
    found = len(listing.splits["train"])
    if found != files:
        sys.exit(f"listed {found} of {files}")
    return seconds


def make_pictures(folder: pathlib.Path, count: int) -> None:
    """Ten classes of noisy pictures, told apart by their brightness."""
    random = np.random.default_rng(0)
    for number in range(count):
        label = number % 10
        noise = random.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
        place = folder / f"class{label}"
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(noise + np.uint8(18 * label))
        picture.save(place / f"{number:06}.jpg")


# Pages of files that are mapped come and go with what memory there is, so
# only the process's own are counted.
WATCHED_RUN = """
import sys, threading, time
from tl_keras import train
heights = [0]
def own_kilobytes():
    status = open("/proc/self/status").read()
    return int(status.partition("RssAnon:")[2].split()[0])
def watch():
    while True:
        heights[0] = max(heights[0], own_kilobytes())
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()
code = train.main(sys.argv[1:])
print(heights[0])
sys.exit(code)
"""


def run_once(data: pathlib.Path, out: pathlib.Path) -> tuple[float, dict]:
    """(megabytes at the height, seconds by stage) of a run on few buffers."""
    flags = [
        f"--dataset={data}", "--backbone=MobileNetV2", "--weights=none",
        "--backbone_args=alpha=0.35", "--image_size=64", "--head_epochs=2",
        "--head_solver=adam", "--fine_tune_epochs=1",
        "--unfreeze_from=block_6_expand", "--feature_memory_gb=0.01",
        f"--feature_cache={out}/features", f"--output_dir={out}/out",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", WATCHED_RUN, *flags],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    metrics = json.loads((out / "out" / "run" / "metrics.json").read_text())
    kilobytes = int(done.stdout.splitlines()[-1])
    return kilobytes / 1024, metrics["seconds"]


def main() -> None:
    """Listing first, then both sizes."""
    describe_machine()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        seconds = index_seconds(root / "empty", 100_000, 100)
        height = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"100,000 files listed in {seconds:.2f} s ({height:.0f} MB)")
        for count in (1_000, 3_000, 10_000):
            data = root / f"pictures{count}"
            make_pictures(data, count)
            megabytes, stages = run_once(data, root / f"run{count}")
            print(
                f"{count:,} pictures: {megabytes:.0f} MB at the height, "
                f"{stages}",
                flush=True,
            )


if __name__ == "__main__":
    main()
