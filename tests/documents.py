"""README.md and the pages of docs/ as tests read them.

    commands("README.md")        # ["python -m tl_keras.train ...", ...]
    python_blocks("docs/pieces.md")

In: a file of the checkout. Out: what it shows to be typed, run or followed.
"""

import json
import re

import pytest
from conftest import CHECKOUT

PAGES = (
    "README.md",
    *sorted(f"docs/{page.name}" for page in (CHECKOUT / "docs").glob("*.md")),
)


def text_of(page: str) -> str:
    """A file of the checkout."""
    return (CHECKOUT / page).read_text(encoding="utf-8")


def python_blocks(page: str) -> list[str]:
    """What stands between fences of Python."""
    return re.findall(r"```python\n(.*?)```", text_of(page), re.DOTALL)


def shell_lines(page: str) -> list[str]:
    """Lines to type: those of fences of sh, and indented ones of old."""
    text = text_of(page)
    fenced = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    indented = re.findall(r"^    (\S.*)$", re.sub(r"```.*?```", "", text,
                          flags=re.DOTALL), re.MULTILINE)  # fmt: skip
    return [line for part in fenced for line in part.splitlines()] + indented


def commands(page: str) -> list[str]:
    """Those of tl_keras, without what installs it before."""
    found = []
    for line in shell_lines(page):
        ran = re.search(r"python -m tl_keras\.\w+ .*", line)
        if ran and (line.startswith(("python", ".venv", "python3", "until"))):
            found.append(ran.group().partition("; do")[0])
    return found


def heading_anchors(page: str) -> set[str]:
    """Anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")
        for heading in headings
    }


def relative_links(page: str) -> list[str]:
    """Where its links lead within the checkout, anchors included."""
    links = re.findall(r"\]\(([^)\s]+)\)", text_of(page))
    return [link for link in links if "://" not in link]


def metrics_validator():
    """What holds a run's metrics.json against docs/metrics.schema.json."""
    jsonschema = pytest.importorskip("jsonschema", reason="extra `dev`")
    schema = json.loads(text_of("docs/metrics.schema.json"))
    return jsonschema.Draft202012Validator(schema)


def sentences(page: str) -> list[str]:
    """Its sentences of nine words or more, without code and marks."""
    text = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    text = re.sub(r"^(    .*|#.*|<!--.*)$", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)|[*`\[\]]", "", text)
    found = []
    for part in re.split(r"\n\s*\n|\n- |\|", text):
        for sentence in re.split(r"(?<=[.:;!?])\s", part):
            words = sentence.split()
            if len(words) >= 9:
                found.append(" ".join(words))
    return found
