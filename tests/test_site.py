"""The site of docs/: it builds without a warning, and loads nothing else."""

import html.parser
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from conftest import CHECKOUT

import tl_keras
from tl_keras import callbacks
from tl_keras.errors import TlKerasError

pytest.importorskip("mkdocs", reason="extra `docs`")
pytest.importorskip("material", reason="extra `docs`")
pytest.importorskip("mkdocstrings", reason="extra `docs`")

sys.path.insert(0, str(CHECKOUT / "docs" / "tools"))
import made_pages

# It takes the checkout first; what the tests run is what is installed.
sys.path.remove(str(CHECKOUT))

LOADS = {"script": "src", "img": "src", "iframe": "src", "link": "href"}


class Loaded(html.parser.HTMLParser):
    """What a page has a browser load."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "link" and given.get("rel") == "canonical":
            return
        if tag in LOADS and given.get(LOADS[tag]):
            self.found.append(given[LOADS[tag]])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> pathlib.Path:
    """All of it, built as CI builds it; links that lead nowhere stop it."""
    folder = tmp_path_factory.mktemp("site")
    ran = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", folder],
        cwd=CHECKOUT, capture_output=True, text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "WARNING" not in ran.stderr
    return folder


def test_each_page_loads_from_the_site_alone(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.found
        for address in loaded.found:
            assert "//" not in address, (page.name, address)
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", text)


def test_what_is_made_is_there(site):
    def page(name: str) -> str:
        return (site / name).read_text(encoding="utf-8")

    assert "--unfreeze_phases" in page("settings.html")
    assert "a setting is wrong" in page("exit_codes.html")
    assert "peak_memory_bytes" in page("metrics.html")
    assert "MobileNetV3Small" in page("fine_tuning.html")
    assert "strategies/" in page("contributing.html")
    assert "partial_fine_tune" in page("measured.html")
    assert "fit_phases" in page("notebooks/own_loop.html")
    for made in site.rglob("*.html"):
        assert "<!-- made" not in made.read_text(encoding="utf-8"), made


def test_what_people_import_is_described(site):
    described = (site / "python.html").read_text(encoding="utf-8")
    functions = {"first_non_finite", "is_better", "read_rows", "write_rows"}
    names = {*tl_keras.__all__, *callbacks.__all__} - functions
    for name in names - {"callbacks", "TrainingBackup"}:
        assert re.search(rf'id="tl_keras\.[\w.]*\.{name}"', described), name
    # An example is code, with its line breaks.
    assert described.count("language-python") > 10


def test_the_table_of_exit_codes_is_that_of_the_exceptions():
    table = made_pages.exit_codes("")
    told = {int(code) for code in re.findall(r"^\| (\d+) ", table, re.M)}
    codes = {error.exit_code for error in TlKerasError.__subclasses__()}
    assert codes | {0, 1} <= told


def test_each_room_is_told():
    rooms = made_pages.rooms("")
    package = CHECKOUT / "tl_keras"
    for init in package.glob("*/__init__.py"):
        assert f"| `{init.parent.name}/` | " in rooms


def test_a_notebook_becomes_a_page():
    cells = [
        {"cell_type": "markdown", "source": ["# A\n", "b"]},
        {
            "cell_type": "code", "source": ["x = 1\n", "x"],
            "outputs": [{"data": {"text/plain": ["1"]}}],
        },
    ]  # fmt: skip
    page = made_pages.notebook_page(json.loads(json.dumps({"cells": cells})))
    assert page == ("# A\nb\n\n```python\nx = 1\nx\n```\n\n```text\n1\n```\n")
