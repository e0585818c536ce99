"""Pages, and parts of pages, that are made when the site is built.

    <!-- made: settings TransferConfig -->

In: the code, and files that are at home elsewhere in the checkout. Out: what
stands on the site, so that no table has to be kept up by hand and no sentence
stands in two places. mkdocs calls the functions named `on_...`.
"""

import ast
import json
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping

from mkdocs.structure.files import File

CHECKOUT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(CHECKOUT))  # What is described is what lies here.

MARK = re.compile(r"^<!-- made: (\w+) ?(.*) -->$", re.MULTILINE)
# Page of the site -> the file of the checkout that it shows.
SHOWN = {
    "measured.md": "benchmarks/README.md",
    "changes.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
}
NOTEBOOKS = ("quick_start", "own_loop")


def on_files(files, config):
    """Adds the pages that lie elsewhere in the checkout, and the notebooks."""
    for page, file in SHOWN.items():
        text = (CHECKOUT / file).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    for name in NOTEBOOKS:
        file = CHECKOUT / "docs" / "notebooks" / f"{name}.ipynb"
        page = notebook_page(json.loads(file.read_text(encoding="utf-8")))
        files.append(
            File.generated(config, f"notebooks/{name}.md", content=page)
        )
    return files


def on_page_markdown(markdown, **_):
    """Puts what is made in the place of each mark."""
    return MARK.sub(lambda mark: MAKERS[mark[1]](mark[2]), markdown)


def notebook_page(notebook: Mapping) -> str:
    """A notebook's cells as Markdown, with the text that they printed."""
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code":
            text = f"```python\n{text}\n```"
        parts.append(text)
        for output in cell.get("outputs", ()):
            printed = output.get("text") or output.get("data", {}).get(
                "text/plain", ()
            )
            if printed:
                parts.append(f"```text\n{''.join(printed)}\n```")
    return "\n\n".join(parts) + "\n"


def settings(name: str) -> str:
    """The settings of a command, group by group."""
    from tl_keras import config
    from tl_keras.config.settings import markdown_tables

    return markdown_tables(getattr(config, name))


def exit_codes(_: str) -> str:
    """The table of tl_keras/errors.py, which loads with every command."""
    source = (CHECKOUT / "tl_keras/errors.py").read_text(encoding="utf-8")
    lines = ast.get_docstring(ast.parse(source)).splitlines()
    return "\n".join(line for line in lines if line.startswith("|"))


def docstring(room: str) -> str:
    """What a room's docstring says behind its first lines."""
    file = CHECKOUT / "tl_keras" / room / "__init__.py"
    told = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    return f"```text\n{told}\n```"


def rooms(_: str) -> str:
    """Each room and the first line of its docstring."""
    lines = ["| room | what it is |", "|---|---|"]
    package = CHECKOUT / "tl_keras"
    files = [*package.glob("*.py"), *package.glob("*/__init__.py")]
    for file in sorted(files, key=lambda file: str(file.relative_to(package))):
        place = file.relative_to(package)
        name = place.parent.name or place.stem
        told = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        first = told.split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
        if name != "__init__":
            folder = "/" if place.name == "__init__.py" else ""
            lines.append(f"| `{name}{folder}` | {first} |")
    return "\n".join(lines)


def backbones(_: str) -> str:
    """What --list_backbones prints."""
    from tl_keras.networks.backbones import describe_backbones

    return f"```text\n{describe_backbones()}\n```"


def metrics(_: str) -> str:
    """The schema of metrics.json as a table."""
    file = CHECKOUT / "docs/metrics.schema.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    rows = [f"| `{path}` | {kind} | {words} |" for path, kind, words in
            numbers_of(schema, schema, "")]  # fmt: skip
    return "\n".join(["| name | is | meaning |", "|---|---|---|", *rows])


def numbers_of(
    schema: Mapping, whole: Mapping, path: str
) -> Iterator[tuple[str, str, str]]:
    """(name, kind, meaning) of all that a schema describes.

    Args:
        schema: of one value; what `x-elsewhere` marks is described where it
            comes first.
        whole: where its `$ref` are looked up.
        path: the value's own name, "" for the file.
    """
    required = schema.get("required", ())
    for name, about in schema.get("properties", {}).items():
        told, elsewhere = about.get("description", ""), "x-elsewhere" in about
        if "$ref" in about:
            about = whole["$defs"][about["$ref"].removeprefix("#/$defs/")]
            told = told or about.get("description", "")
        kind = about.get("type", "any")
        kind = " or ".join(kind) if isinstance(kind, list) else kind
        here = f"{path}.{name}" if path else name
        many = about.get("items", {}) if kind == "array" else {}
        if many:
            here += "[]"
        if name not in required:
            kind += ", may be missing"
        yield here, kind, told.replace("|", "\\|")
        if not elsewhere:
            yield from numbers_of(many or about, whole, here)


MAKERS = {
    "settings": settings,
    "exit_codes": exit_codes,
    "backbones": backbones,
    "rooms": rooms,
    "docstring": docstring,
    "metrics": metrics,
}
