"""docs/notebooks: they run from top to bottom, and hold nothing large."""

import ast
import json
import pathlib
import runpy

import pytest
import tiny
from conftest import CHECKOUT

NOTEBOOKS = CHECKOUT / "docs" / "notebooks"
NAMES = sorted(file.stem for file in NOTEBOOKS.glob("*.ipynb"))


def cells_of(name: str) -> list[dict]:
    text = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
    return json.loads(text)["cells"]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_shows_no_place_of_ours(name):
    text = (NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
    assert len(text) < 30_000
    assert str(pathlib.Path.home()) not in text
    assert '"execution_count": 1' not in text


def test_there_are_two():
    assert NAMES == ["own_loop", "quick_start"]


def shown_by(name: str, folder: pathlib.Path) -> list:
    """What the last lines of the cells give, run in this process."""
    parts = []
    for cell in cells_of(name):
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).splitlines()
            last = ast.parse("\n".join(lines)).body[-1]
            if isinstance(last, ast.Expr):
                shown = "\n".join(lines[last.lineno - 1 :])
                lines[last.lineno - 1 :] = [f"shown.append({shown})"]
            parts += lines
    script = folder / "cells.py"
    script.write_text("\n".join(parts), encoding="utf-8")
    return runpy.run_path(str(script), {"shown": []})["shown"]


def test_the_cells_of_the_quick_start(tmp_path, monkeypatch):
    """Without training or a page; the whole of it is a run of `nightly`."""
    monkeypatch.chdir(tmp_path)
    tiny.use(monkeypatch, tiny.UNTRAINED)
    result, per_class, page, asked, more = shown_by("quick_start", tmp_path)
    assert "accuracy 1.000" in repr(result)
    assert set(per_class) == set("0123456789")
    assert repr(page).endswith("saved_models/digits/run/report.html')")
    assert {label for label, _ in asked} <= set("0123456789")
    assert "saved_models/digits_20/1" in repr(more)


@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="extra `dev`")
    nbclient = pytest.importorskip("nbclient", reason="extra `dev`")
    pytest.importorskip("ipykernel", reason="extra `dev`")
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=None, kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()  # fmt: skip
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            shown = output.get("data", {})
            # A cell's last line once printed 34,000 lines of weights.
            assert len(shown.get("text/plain", "")) < 2_000
    if name == "quick_start":
        framed = [
            output
            for cell in notebook.cells
            for output in cell.get("outputs", ())
            if "<iframe" in output.get("data", {}).get("text/html", "")
        ]
        assert len(framed) == 1
