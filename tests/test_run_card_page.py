"""run_card: the page, whatever the run was and whatever names it has."""

import base64
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image
from run_folders import NUMBER, Page, StubAlbum, make_run

from tl_keras import run_card
from tl_keras.run_card.markdown import code

SECTIONS = (
    "What it is for, and what not", "Training", "Where it is wrong",
    "Can its probabilities be trusted?",
    "Pictures", "Data", "Cost", "Repeat it",
)  # fmt: skip
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "main", "p", "h1", "h2",
    "h3", "strong", "ul", "li", "div", "table", "thead", "tr", "th", "td",
    "span", "i", "b", "picture", "source", "img", "dl", "dt", "dd", "details",
    "summary", "pre", "br", "a",
}  # fmt: skip
# Elements that a browser adds of itself.
ADDED = {"tbody"}
ATTACKS = (
    "<script>alert({})</script>", "<img src=x onerror=alert({})>",
    "\"><svg/onload=alert({})>", "'><iframe src=javascript:alert({})>",
    "</style><script>alert({})</script>", "<!-- {}", "--><b>{}</b>", "&lt;{}",
    "{{{{ {} }}}}", "{{% raw {} %}}", "$\\frac{{{}}}{{0}}$", "`code{}`",
    "| {} | <td>", "[x](javascript:alert({}))", "=HYPERLINK({})",
    "</title><meta http-equiv=refresh content={}>", "<a href=//evil/{}>",
    "\u202egnp.{}", "name{}" + "x" * 240, "<plaintext>{}", "]]>{}",
    "<base href=//evil/{}>", "猫の写真{}", "javascript:alert({})",
    "</td></tr></table></main>{}",
)  # fmt: skip
HOSTILE = [a.format(n) for n in range(4) for a in ATTACKS]


def page_of(folder, **options) -> tuple[Page, str, dict]:
    options = {"album": StubAlbum()} | options
    metrics = run_card.write_card(folder, **options)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    return Page(text), text, metrics


def assert_safe(page: Page, text: str) -> None:
    """What holds for every page: one file, no script, no request."""
    assert {tag for tag, *_ in page.elements} <= ELEMENTS
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("action", "background"), (tag, name)
        if name == "href":  # The page that lies beside, and nothing else.
            assert (tag, value) == ("a", "data_report.html")
        if name in ("src", "srcset"):
            assert re.fullmatch(
                r"data:image/(jpeg|svg\+xml);base64,[A-Za-z0-9+/=]+", value
            )
        if name == "style":
            assert re.fullmatch(r"((width|left): [\d.]+%(; )?)+", value)
    assert ("meta", "content", POLICY) in page.attributes
    assert all(alt for _, alt in page.pictures)
    assert len(text.encode()) < 5e6


RUNS = {
    "two classes": {},
    "one epoch": {"epochs": 1, "phases": ("head",)},
    "no validation": {"val": False},
    "no head phase": {"phases": ("fine_tune",), "scratch": False},
    "ten classes": {"names": [f"k{i}" for i in range(10)], "count": 200},
    "1,000 classes": {"names": [f"k{i}" for i in range(1000)], "count": 2000},
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_whole_page_of_any_run(kind, tmp_path):
    page, text, metrics = page_of(make_run(tmp_path, **RUNS[kind]))
    assert_safe(page, text)
    for title in SECTIONS:
        assert f"<h2>{title}</h2>" in text
    assert metrics["card"]["gallery"]["right"]
    accuracy = f"{100 * metrics['test']['accuracy']:.1f}"
    assert f"Right on {accuracy} % of" in page.text.replace("\xa0", " ")
    assert "nan" not in page.text.lower().replace("cannot", "").split()


def test_a_run_that_diverged_has_a_page_that_says_so(tmp_path):
    why = "phase fine_tune: loss became nan - lower its learning rate (1)"
    page, text, metrics = page_of(make_run(tmp_path, stopped=why))
    assert_safe(page, text)
    assert why in page.text
    assert "diverged" in page.text
    assert "test" not in metrics
    for title in ("Training", "Data", "Cost", "Repeat it"):
        assert f"<h2>{title}</h2>" in text
    assert len(page.sources) == 1  # The curves as far as they came.
    assert (
        why.split(" - ")[0].split(": ")[1]
        in (tmp_path / "flowers/run/report.md").read_text()
    )


def test_no_epoch_and_no_reports_still_give_a_page(tmp_path):
    folder = make_run(tmp_path, stopped="phase head: loss became nan")
    for name in ("history.csv", "data_report.json", "run.flags"):
        (folder / name).unlink()
    page, text, _ = page_of(folder, album=None, no_previews="They are gone.")
    assert_safe(page, text)
    assert "No epoch was finished." in page.text


def test_pictures_that_are_gone_are_said_to_be(tmp_path):
    folder = make_run(tmp_path)
    page, *_ = page_of(folder, album=None, no_previews="They are gone.")
    assert "They are gone." in page.text
    assert len(page.pictures) == 3  # The plots alone.

    class Half(StubAlbum):
        def square(self, split, id_):
            return None if id_.startswith("cat") else super().square(split, id_)

    page, *_ = page_of(folder, album=Half())
    assert "some pictures are no longer where they were" in page.text
    assert "no picture" in page.text
    assert len(page.pictures) > 3


def test_a_hundred_classes_of_noise_stay_below_the_limit(tmp_path):
    """Grad-CAM too, on pictures that no JPEG makes small."""
    import keras

    folder = make_run(tmp_path, [f"k{i}" for i in range(100)], count=1500)
    inputs = keras.Input((140, 140, 3))
    x = keras.layers.Conv2D(4, 8, strides=8, activation="relu")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(100)(x))
    page, text, _ = page_of(folder, album=StubAlbum(140), model=model)
    assert_safe(page, text)
    assert len(text.encode()) > 2e6  # So that the limit is near.


def test_more_pictures_than_a_page_can_hold_are_left_out(tmp_path, monkeypatch):
    from tl_keras.run_card import gallery

    monkeypatch.setattr(gallery, "MAX_BYTES", 60_000)
    page, *_ = page_of(make_run(tmp_path), album=StubAlbum(140))
    weight = sum(len(s) for s, _ in page.pictures if "jpeg" in s)
    assert 40_000 < weight <= 60_000
    assert "some are left out to keep this page small" in page.text


def hostile_run(tmp_path, names):
    ids = [f"{name}/{n}.jpg\n" for name in names for n in range(2)]
    ids[0] += "\udcff\x1b[31m"
    return make_run(tmp_path, names, count=200, ids=ids)


def test_hostile_names_add_no_element(tmp_path):
    """The same elements, one by one, as with harmless names."""
    assert len(HOSTILE) == len(set(HOSTILE)) == 100
    harmless = [f"k{i}" for i in range(100)]
    page, text, _ = page_of(hostile_run(tmp_path / "a", HOSTILE))
    plain, *_ = page_of(hostile_run(tmp_path / "b", harmless))
    assert_safe(page, text)
    assert page.elements == plain.elements
    assert "\x1b" not in text
    assert "\u202e" not in text
    shown = Page.NAMES
    try:
        Page.NAMES = set()
        words = Page(text).text
    finally:
        Page.NAMES = shown
    for name in HOSTILE[:12]:  # They are there, as text.
        assert " ".join(name.split()) in words


def browse(folder, chromium: str) -> str:
    """The document as a browser has it after loading."""
    ran = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu",
            "--no-first-run", "--disable-background-networking",
            f"--user-data-dir={folder / 'profile'}", "--dump-dom",
            (folder / "report.html").as_uri(),
        ],
        capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_hostile_names_add_no_element_in_a_browser(tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    counted = []
    harmless = [f"k{i}" for i in range(100)]
    for place, names in (("a", HOSTILE), ("b", harmless)):
        folder = hostile_run(tmp_path / place, names)
        run_card.write_card(folder, StubAlbum())
        page = Page(browse(folder, chromium))
        assert {tag for tag, *_ in page.elements} <= ELEMENTS | ADDED
        counted.append(page.elements)
    assert counted[0] == counted[1]


def test_hostile_names_stay_in_code_spans_in_markdown(tmp_path):
    folder = hostile_run(tmp_path, HOSTILE)
    run_card.write_card(folder)
    text = (folder / "report.md").read_text(encoding="utf-8")
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert outside != text
    assert "alert" not in outside
    assert not re.search(r"(?<!\\)[<>]", outside)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a", "`a`"), ("a`b", "`` a`b ``"), ("``", "``` `` ```"),
        ("a|b", "`a\\|b`"), ("a\nb", "`a\\x0ab`"), ("", "` `"),
    ],
)  # fmt: skip
def test_a_code_span_holds_any_name(name, shown):
    assert code(name) == shown


def numbers_in(value, found: set[str]) -> set[str]:
    """Every way that a number of metrics.json may be written on a page."""
    if isinstance(value, dict):
        for key, part in value.items():
            found.update(NUMBER.findall(str(key)))
            numbers_in(part, found)
    elif isinstance(value, list):
        for part in value:
            numbers_in(part, found)
    elif isinstance(value, str):
        found.update(NUMBER.findall(value))
    elif isinstance(value, int | float):
        for scaled in (
            value, 100 * value, 1000 * value, value / 1e6, value / 1e9
        ):  # fmt: skip
            for digits in range(4):
                found.add(f"{scaled:,.{digits}f}")
                found.add(f"{scaled:+.{digits}f}")
    return found


@pytest.mark.parametrize("kind", RUNS)
def test_every_number_on_the_page_is_in_metrics(kind, tmp_path):
    folder = make_run(tmp_path, **RUNS[kind])
    page, _, metrics = page_of(folder)
    known = numbers_in(metrics, {"0", "100"})
    shown = NUMBER.findall(page.text.replace("\xa0", " "))
    assert len(shown) > 100
    assert [n for n in shown if n not in known] == []
    assert "12,345.678" not in known  # The test can fail.


def test_rounding_and_what_it_changes_is_told(tmp_path):
    folder = make_run(tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["export"] |= {
        "largest_difference": 2.4e-07,
        "rounding": {
            "largest_difference": 0.0073, "mean_difference": 0.0011,
            "movement": 0.031, "changed": 1,
            "changed_pictures": [
                {"id": "<b>x</b>.jpg", "evaluation": "cat", "export": "dog"}
            ],
        },
    }  # fmt: skip
    run_card.write_metrics(folder / "metrics.json", metrics)
    page, text, metrics = page_of(folder)
    assert_safe(page, text)
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    for shown in (page.text.replace("\xa0", " "), markdown):
        assert "2.4e-07" in shown
        assert "0.0073 from the evaluation" in shown
        assert "changes 1 predicted class" in shown
        assert "(cat, in the export dog)" in shown


def test_earlier_versions_and_other_runtimes_have_their_place(tmp_path):
    folder = make_run(tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())
    counts = {"both_right": 40, "first_only": 3, "second_only": 7,
              "both_wrong": 10}  # fmt: skip
    file = {
        "file": "exports/model_int8.tflite", "bytes": 86_760,
        "accuracy": 0.8123, "largest_difference": 0.0478,
        "mean_difference": 0.0042, "changed": 11, "refused": None,
    }  # fmt: skip
    hostile = {**file, "refused": "worst is <script>alert(1)</script>|`x`"}
    metrics |= {
        "regression": {
            "min_accuracy": 0.75, "version": "<b>pets</b>/21", "examples": 60,
            "accuracy": 0.7167, "accuracy_of_new": 0.7833, "unread": 13,
            "changed": 17, "p_value": 0.344, **counts,
        },
        "runtimes": {"tflite_int8": file, "onnx": hostile},
    }  # fmt: skip
    run_card.write_metrics(folder / "metrics.json", metrics)
    page, text, metrics = page_of(folder)
    assert_safe(page, text)
    known = numbers_in(metrics, {"0", "100"})
    shown = page.text.replace("\xa0", " ")
    assert [n for n in NUMBER.findall(shown) if n not in known] == []
    for words in (
        "At least 75.0 % of the test pictures had to be right.",
        "Version <b>pets</b>/21 has 71.7 % of the same 60 pictures right, of "
        "which it read 13 not, this one 78.3 %: 7 won, 3 lost, p = 0.344 by",
        "0.09 81.2 % 11 0.048",
        "not written: worst is <script>alert(1)</script>",
    ):
        assert words in shown
    markdown = (folder / "report.md").read_text()
    assert "| `exports/model_int8.tflite` | 0.09 | 81.2 % | 0.048 |" in markdown
    assert "not written: worst is \\<script\\>alert(1)" in markdown
    assert "Version \\<b\\>pets" in markdown


def test_the_markdown_has_no_other_numbers(tmp_path):
    folder = make_run(tmp_path, RUNS["ten classes"]["names"])
    _, _, metrics = page_of(folder)
    known = numbers_in(metrics, {"0", "95"})
    text = (folder / "report.md").read_text().replace("\\", "")
    shown = NUMBER.findall(re.sub(r"`[^`]*`", "", text))
    assert len(shown) > 50
    assert [n for n in shown if n not in known] == []


def test_thumbnails_carry_no_exif_and_fit(tmp_path):
    page, _, _ = page_of(make_run(tmp_path), album=StubAlbum(300))
    jpegs = [s for s, _ in page.pictures if s.startswith("data:image/jpeg")]
    assert len(jpegs) > 20
    for source in jpegs:
        image = Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))
        assert not image.getexif()
        assert max(image.size) <= 224


def test_the_page_shows_the_last_part_of_paths_alone(tmp_path):
    folder = make_run(tmp_path)
    _, text, metrics = page_of(folder)
    for place in (
        text,
        json.dumps(metrics),
        (folder / "report.md").read_text(),
    ):
        assert "somebody" not in place
        assert str(tmp_path) not in place
    assert "--dataset=flowers" in text


def test_the_same_files_give_the_same_page(tmp_path):
    folder = make_run(tmp_path)
    first = page_of(folder)[1]
    metrics = (folder / "metrics.json").read_bytes()
    assert page_of(folder)[1] == first
    assert (folder / "metrics.json").read_bytes() == metrics


def test_label_suspects_come_first(tmp_path):
    _, text, _ = page_of(make_run(tmp_path))
    assert text.count('<span class="tag warn">two labels</span>') == 2
    assert "&lt;b&gt;label&lt;/b&gt;, train" in text
    assert "Labels to look at" in text
    assert "&lt;i&gt;cat&lt;/i&gt;" in text
    assert "93.1&nbsp;%" in text


def test_calibration_before_and_after_is_shown_where_it_is_known(tmp_path):
    folder = make_run(tmp_path)
    page, _, _ = page_of(folder)
    assert "before temperature" not in page.text
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["test"] |= {"ece": 0.0123, "ece_before": 0.0456}
    run_card.write_metrics(folder / "metrics.json", metrics)
    page, _, metrics = page_of(folder)
    words = "error 0.046 before temperature, 0.012 after"
    assert words in page.text
    assert metrics["card"]["calibration"]["ece"] == 0.0123


def test_the_grad_cam_of_the_gallery_is_of_the_predicted_class(
    tmp_path, monkeypatch
):
    from tl_keras.run_card import gallery

    asked = []

    def maps(model, pictures, classes):
        asked.extend(classes)
        return np.zeros(pictures.shape[:3], np.float32)

    monkeypatch.setattr(gallery, "grad_cam", maps)
    page, _, metrics = page_of(make_run(tmp_path), model=object())
    chosen = {
        e["id"]: e["predicted"]
        for kind in metrics["card"]["gallery"].values()
        for e in kind
    }
    assert sorted(asked) == sorted(chosen.values())
    alts = [alt for _, alt in page.pictures]
    assert "what speaks for dog in it" in alts


def test_one_dot_is_no_curve(tmp_path):
    page, text, _ = page_of(
        make_run(tmp_path, epochs=1, phases=("head",), scratch=False)
    )
    assert "there are no epochs to draw" in page.text
    assert "The head was solved at once" in page.text
    assert "Cross-entropy, accuracy and learning rate" not in text


def test_intervals_stand_on_an_axis_that_shows_them(tmp_path):
    _, text, metrics = page_of(make_run(tmp_path, count=400))
    widths = [
        float(width) for width in re.findall(r"%; width: ([\d.]+)%", text)
    ]
    assert len(widths) >= len(metrics["phases"])
    assert max(widths) > 10


def test_pictures_grow_by_css_alone(tmp_path):
    page, text, _ = page_of(make_run(tmp_path))
    grows = [t for t, name, _ in page.attributes if name == "tabindex"]
    assert len(grows) > 3
    assert set(grows) == {"div"}
    assert ".shot[tabindex]:focus img" in text
    assert "<script" not in text


def test_sixty_mistakes_are_shown_and_those_beyond_twelve_folded(tmp_path):
    names = [f"k{number}" for number in range(9)]
    _, text, metrics = page_of(make_run(tmp_path, names, count=400))
    mistakes = metrics["card"]["gallery"]["mistakes"]
    assert len(mistakes) == min(60, metrics["card"]["mistakes"]) > 12
    assert f"<summary>{len(mistakes) - 12} more</summary>" in text
    shown = text.split("<h2>Pictures</h2>")[1].split("<h2>Data</h2>")[0]
    assert all(row["id"] in shown for row in mistakes)


def test_why_a_run_was_not_published_stands_on_its_page(tmp_path):
    folder = make_run(tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics |= {"export": None, "not_published": ["export not published: <b>"]}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    page, text, _ = page_of(folder)
    assert_safe(page, text)
    assert "export not published: <b>" in page.text
    assert "tl_keras.predict" not in text


def test_a_page_has_its_day_and_what_to_type(tmp_path):
    folder = make_run(tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics |= {"date": "2026-11-27"}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    page, text, _ = page_of(folder)
    assert "run card, 2026-11-27" in page.text
    assert "Most confused" in page.text
    assert metrics["export"]
    assert "python -m tl_keras.predict PICTURE.jpg <span" in text
    assert '<span class="flag">--model=.</span>' in text
