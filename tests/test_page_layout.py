"""Every page in a browser, as wide as a phone and as wide as a screen."""

import json
import re
import shutil
import subprocess
import types

import numpy as np
import pytest
from run_folders import StubAlbum, make_run, write_rows

from tl_keras import pages, run_card
from tl_keras.run_card import read_run
from tl_keras.run_card.comparison import compare_records, render_comparison
from tl_keras.tasks.multilabel import Multilabel

WIDTHS = (360, 400, 1280)
# As long as people make them, and with nothing to break them at.
NAMES = [f"cash_withdrawal_not_recognised_{n}" for n in range(14)]
# What a page looks like is measured from outside: it may run no script.
MEASURE = """
const pages = %s, widths = %s, found = {};
let left = Object.keys(pages).length * widths.length;
for (const [name, html] of Object.entries(pages)) for (const width of widths) {
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 900px; border: 0`;
  frame.onload = () => {
    found[`${name} ${width}`] = measured(frame.contentDocument);
    if (!--left)
      document.body.textContent = "measured " + JSON.stringify(found);
  };
  frame.srcdoc = html;
  document.body.append(frame);
}
function ends(element) {
  const box = element.getBoundingClientRect();
  return [Math.round(box.left), Math.round(box.right)];
}
function measured(page) {
  const root = page.documentElement, width = root.clientWidth;
  page.querySelectorAll("details").forEach(part => part.open = true);
  const wide = [...page.querySelectorAll(".wide:not(:has(img))")];
  const text = [...page.querySelectorAll("p, li, td, th, dt, dd, h1, pre")];
  return {
    over: root.scrollWidth - width,
    scrolled: wide.filter(part => part.scrollWidth > part.clientWidth)
      .map(part => part.textContent.trim().slice(0, 40)),
    past: text.filter(part => !part.closest(".wide") && ends(part)[1] > width)
      .map(part => part.textContent.trim().slice(0, 40)),
    axis: [...page.querySelectorAll(".ends div")].map(ends),
    bars: [...page.querySelectorAll(".range span")].map(ends),
  };
}
"""


def several_labels(root):
    """A run of several labels, as a job leaves it."""
    folder = make_run(root, NAMES, phases=("head",), scratch=False)
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, (60, len(NAMES)))
    answers = np.clip(0.6 * targets + 0.4 * random.random(targets.shape), 0, 1)
    task = Multilabel()
    counted = task.count_answers(answers, targets, NAMES)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics |= {"task": {"task": task.name, **task.stored()},
                "test": counted.metrics, "comparisons": []}  # fmt: skip
    metrics["phases"][0]["test"] = counted.metrics
    run_card.write_metrics(folder / "metrics.json", metrics)
    header, rows = task.table(counted, NAMES)
    write_rows(
        folder / "predictions.csv",
        [
            {"id": f"{n}.jpg", **dict(zip(header, row, strict=True))}
            for n, row in enumerate(rows)
        ],
    )
    return folder


def predictions() -> str:
    """A page of `predict`, of a text with a long label."""
    card = {"picture": "", "excerpt": "where is my card", "label": NAMES[0],
            "score": "0.512", "others": NAMES[1], "name": "a" * 80}  # fmt: skip
    return pages.render(
        "predictions.html", name="asked", found=9_999, one="text", many="texts",
        done=types.SimpleNamespace(
            predicted=9_990, unreadable=4, ignored={"no text": 5}
        ),
        labels=[{"name": NAMES[0], "count": 9_990, "share": 100,
                 "cards": [card]}],
        more_labels=0, unsure=[card], ends=[("Highest age", [card])],
        unreadable=[],
    )  # fmt: skip


def all_pages(root) -> dict[str, str]:
    """Kind -> a whole page."""
    classes = make_run(root / "a", NAMES, count=140)
    labels = several_labels(root / "b")
    for folder in (classes, labels):
        run_card.write_card(folder, StubAlbum())
    other = make_run(root / "c", NAMES, count=140, epochs=2)
    records = [read_run(classes), read_run(other)]
    return {
        "classes": (classes / "report.html").read_text("utf-8"),
        "labels": (labels / "report.html").read_text("utf-8"),
        "compared": render_comparison(
            compare_records(records), records, ["", ""]
        ),
        "predicted": predictions(),
    }


def measure(folder, chromium: str, shown: dict[str, str]) -> dict[str, dict]:
    """ "kind width" -> what `MEASURE` says of it."""
    script = MEASURE % (json.dumps(shown).replace("<", "\\u003c"), list(WIDTHS))
    outside = folder / "outside.html"
    outside.write_text(
        f"<!doctype html><body><script>{script}</script>", encoding="utf-8"
    )
    ran = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu",
            "--hide-scrollbars", "--no-first-run",
            "--disable-background-networking",
            "--virtual-time-budget=20000",
            f"--user-data-dir={folder / 'profile'}", "--dump-dom",
            outside.as_uri(),
        ],
        capture_output=True, text=True,
    )  # fmt: skip
    told = re.search(r"measured (\{.*\})</body>", ran.stdout, re.S)
    assert told, ran.stderr
    return json.loads(told[1].replace("&amp;", "&").replace("&nbsp;", " "))


@pytest.fixture(scope="module")
def looks(tmp_path_factory):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    folder = tmp_path_factory.mktemp("pages")
    return measure(folder, chromium, all_pages(folder))


def test_no_page_is_wider_than_its_window(looks):
    assert len(looks) == 4 * len(WIDTHS)
    for name, look in looks.items():
        assert look["over"] <= 0, name
        assert look["past"] == [], name


def test_no_table_is_cut_off(looks):
    for name, look in looks.items():
        assert look["scrolled"] == [], name


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["classes", "labels", "compared"])
def test_intervals_lie_on_an_axis_that_is_seen(kind, width, looks):
    look = looks[f"{kind} {width}"]
    (axis,) = look["axis"]
    assert axis[1] - axis[0] > 200
    assert look["bars"]
    assert {tuple(bar) for bar in look["bars"]} == {tuple(axis)}
