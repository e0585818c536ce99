"""Docstrings say what a caller needs: read from the source, nothing imported.

A public function or method of three or more parameters has `Args:` and, where
it gives something, `Returns:`. `Args:` has an entry for each parameter and no
other, wherever it stands. An override whose base says it opens with "As". What
people import has an `Example:`.
"""

import ast
import pathlib
import re
import textwrap

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "tl_keras"
FILES = sorted(PACKAGE.rglob("*.py"))
MANY = 3  # parameters, from which on a name does not say enough
# An entry of Args: "name:", or several of one kind, "name, other:".
ENTRY = re.compile(r"    ((?:\*{0,2}\w+, )*\*{0,2}\w+):")
# Besides what `tl_keras` and `tl_keras.callbacks` name.
IMPORTED = {
    "EpochSource": "sources",
    "FeatureStore": "features",
    "Strategy": "strategies",
    "Task": "tasks",
    "check_listing": "audit",
    "connect": "serving.server_client",
    "grad_cam": "inputs.image.grad_cam",
    "inspect_export": "exports",
    "list_dataset": "data",
    "solve_probe": "tasks.multiclass",
}


def public_functions(source: str) -> list[tuple[str, ast.FunctionDef]]:
    """Public functions, and public methods of public classes, by name."""
    found = []

    def look(body: list, prefix: str) -> None:
        for node in body:
            if getattr(node, "name", "_").startswith("_"):
                continue
            if isinstance(node, ast.ClassDef):
                look(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.FunctionDef):
                found.append((prefix + node.name, node))

    look(ast.parse(source).body, "")
    return found


def parameters_of(function: ast.FunctionDef) -> list[str]:
    """All but self, cls and what is taken for others alone (`_`)."""
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    every += [one for one in (given.vararg, given.kwarg) if one]
    names = [one.arg for one in every]
    return [name for name in names if name not in ("self", "cls", "_")]


def section(docstring: str, title: str) -> list[str] | None:
    """The lines under a title, as they are indented; None without it."""
    lines = iter(docstring.splitlines())
    if f"{title}:" not in lines:
        return None
    under = []
    for line in lines:
        if line and not line.startswith(" "):
            break
        under.append(line)
    return under


def faults_of(source: str) -> list[str]:
    """What the docstrings of a file lack, or say of what is not there."""
    faults = []
    for name, function in public_functions(source):
        docstring = ast.get_docstring(function) or ""
        taken = parameters_of(function)
        told = section(docstring, "Args")
        if len(taken) >= MANY and not docstring.startswith("As "):
            gives = function.returns and ast.unparse(function.returns)
            if told is None:
                faults.append(f"{name}: no Args")
            if gives not in (None, "None") and not section(
                docstring, "Returns"
            ):
                faults.append(f"{name}: no Returns")
        if told is None:
            continue
        entries = [found for line in told if (found := ENTRY.match(line))]
        named = [n for e in entries for n in re.findall(r"\w+", e[1])]
        faults += [f"{name}: Args lacks {n}" for n in taken if n not in named]
        faults += [f"{name}: Args has {n}" for n in named if n not in taken]
    return faults


@pytest.mark.parametrize(
    "file", FILES, ids=lambda f: str(f.relative_to(PACKAGE))
)
def test_docstrings_name_what_is_taken_and_given(file):
    assert faults_of(file.read_text(encoding="utf-8")) == []


ARGS = "Does.\n\n    Args:\n        a: of it.\n        b, c: of both.\n    "
RETURNS = "\n    Returns:\n        Them.\n    "


@pytest.mark.parametrize(
    ("head", "docstring", "faults"),
    [
        ("f(a, b, c)", ARGS, []),
        ("f(a, b, c) -> None", ARGS, []),
        ("f(a, b, c) -> int", ARGS + RETURNS, []),
        ("f(a, b, c) -> int", ARGS, ["f: no Returns"]),
        ("f(a, b, c)", "Does.", ["f: no Args"]),
        ("f(a, b, *, c=1)", "Does.", ["f: no Args"]),
        ("f(a, *b, **c)", "Does.", ["f: no Args"]),
        ("f(a, b, c) -> int", "As of the base.", []),
        ("f(a, b)", "Does.", []),
        ("_f(a, b, c)", "Does.", []),
        ("f(a, b, c, d)", ARGS, ["f: Args lacks d"]),
        ("f(a, b)", ARGS, ["f: Args has c"]),
    ],
)
def test_a_docstring_with_a_fault_is_found(head, docstring, faults):
    assert faults_of(f'def {head}:\n    """{docstring}"""\n') == faults


def test_a_method_is_asked_without_self():
    body = 'class A:\n    def f(self, a, b, c):\n        """Does."""\n'
    assert faults_of(body) == ["A.f: no Args"]
    assert faults_of(body.replace(", c", "")) == []
    assert faults_of(body.replace("class A", "class _A")) == []


def value_of(file: pathlib.Path, name: str):
    """A constant of a module, from its source."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{file}: no {name}")


def people_import() -> dict[str, str]:
    """Name -> the room in which it is."""
    callbacks = value_of(PACKAGE / "callbacks" / "__init__.py", "__all__")
    return {
        **value_of(PACKAGE / "__init__.py", "_ROOMS"),
        **dict.fromkeys(callbacks, "callbacks"),
        **IMPORTED,
    }


def docstring_of(name: str, room: str) -> str:
    place = PACKAGE / room.replace(".", "/")
    files = (
        place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]
    )
    found = [
        ast.get_docstring(node) or ""
        for file in files
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef))
        and node.name == name
    ]
    assert len(found) == 1, f"{room} has {len(found)} of {name}"
    return found[0]


@pytest.mark.parametrize(("name", "room"), people_import().items())
def test_what_people_import_shows_an_example(name, room):
    code = section(docstring_of(name, room), "Example")
    assert code, f"{name} has no example"
    body = ast.parse(textwrap.dedent("\n".join(code))).body
    # Nobody's other example was copied here.
    assert body
    assert name in "\n".join(code)


def test_the_callbacks_show_an_example():
    file = PACKAGE / "callbacks" / "__init__.py"
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    assert "\n    model.fit(" in docstring
