"""The picture of the page for README: docs/images/card.png.

    python docs/tools/card_picture.py --run=saved_models/quickstart

In: a finished run of configs/quickstart.flags. Out: the top of its page as
Chromium shows it, in at most 150 KB, with the hash of the templates that it
was made from, by which a test sees that it is not of an older page.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from PIL import Image, PngImagePlugin

CHECKOUT = pathlib.Path(__file__).parents[2]
PICTURE = CHECKOUT / "docs" / "images" / "card.png"
TEMPLATES = (
    "card.html",
    "macros.html",
    "next.html",
    "page.html",
    "report.html",
    "scores.html",
)
SIZE = (840, 1180)  # pixels
COLOURS = 256  # of its palette
MAX_BYTES = 150_000


def templates_hash() -> str:
    """Of what decides how the page looks."""
    found = hashlib.sha256()
    for name in TEMPLATES:
        found.update((CHECKOUT / "tl_keras/templates" / name).read_bytes())
    return found.hexdigest()


def main(argv: list[str] | None = None) -> int:
    """Takes the picture; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", required=True, type=pathlib.Path)
    run = parser.parse_args(argv).run.resolve() / "run"
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("error: found neither chromium nor google-chrome - install one")
        return 4
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        shot = pathlib.Path(folder, "card.png")
        subprocess.run(
            [browser, "--headless", "--no-sandbox", "--hide-scrollbars",
             f"--screenshot={shot}", f"--window-size={SIZE[0]},{SIZE[1]}",
             f"--user-data-dir={folder}/profile", f"file://{run}/report.html"],
            check=True, capture_output=True,
        )  # fmt: skip
        picture = Image.open(shot).convert("RGB").quantize(COLOURS, kmeans=1)
    notes = PngImagePlugin.PngInfo()
    notes.add_text("templates", templates_hash())
    notes.add_text("accuracy", f"{metrics['test']['accuracy']:.4f}")
    picture.save(PICTURE, optimize=True, pnginfo=notes)
    size = PICTURE.stat().st_size
    print(f"{PICTURE}: {size:,} bytes")
    return 0 if size <= MAX_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
