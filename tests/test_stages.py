"""Stages are values: what is handed in is as it was, in the source too."""

import ast
import pathlib

import pytest

import tl_keras

PACKAGE = pathlib.Path(tl_keras.__file__).parent
FILLS = {
    "add", "append", "clear", "discard", "extend", "insert", "pop", "remove",
    "setdefault", "update",
}  # fmt: skip


def root_of(node: ast.expr) -> str:
    """`a` of a.b[c].d; "" of what has no name."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def filled(function: ast.FunctionDef) -> set[str]:
    """The parameters that a function changes, and does not give a new value."""
    spec = function.args
    names = {a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
    changed, bound = set(), set()
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in FILLS:
                changed.add(root_of(node.func.value))
        targets = getattr(node, "targets", [getattr(node, "target", None)])
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            changed |= {
                root_of(target)
                for target in targets
                if isinstance(target, (ast.Attribute, ast.Subscript))
            }
    return (changed & names) - bound - {"self", "cls"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(a, b): a.append(b)", {"a"}),
        ("def f(a): a.x['b'] = 1", {"a"}),
        ("def f(a): a.x += 1", {"a"}),
        ("def f(a): a = [*a]; a.append(1)", set()),
        ("def f(a): b = dict(a); b['c'] = 1", set()),
    ],
)
def test_the_reader_of_the_source_sees_what_is_filled(source, expected):
    (function,) = ast.parse(source).body
    assert filled(function) == expected


@pytest.mark.parametrize("room", ["config", "jobs", "run_card", "runs"])
def test_no_function_fills_what_it_is_handed(room):
    found = {
        f"{file.name}:{node.name}": names
        for file in sorted((PACKAGE / room).glob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (names := filled(node))
    }
    assert found == {}
