"""Does the suite find faults? Makes them, one at a time, in a copy.

    python tests/mutations/run.py planted
    python tests/mutations/run.py drawn --count=60 --seed=0

`planted` are faults that somebody could make (planted.py). `drawn` changes one
comparison, number, sign or condition somewhere, by the seed, some in every
room. Each copy is asked the tests of the room that was changed, until one
fails; `--whole` asks the whole suite of those that are left. Prints a line
each, and the survivors at the end.
"""

import argparse
import ast
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

from planted import PLANTED

CHECKOUT = pathlib.Path(__file__).parent.parent.parent
COPIED = ("tl_keras", "tests", "configs", "docs", "benchmarks", "README.md",
          "CHANGELOG.md", "SECURITY.md", "pyproject.toml", "mkdocs.yml",
          "constraints.txt")  # fmt: skip
# Room, or part of one -> the words that its tests' files have in their names,
# quick ones first; the longest that fits is taken.
TESTS = {
    "__init__": ("imports", "lazy_names"),
    "__main__": ("command_line", "console"),
    "check": ("command_line", "imports", "audit"),
    "compare": ("compar", "command_line"),
    "console": ("console", "progress", "log"),
    "evaluate": ("command_line", "evaluate"),
    "predict": ("command_line", "predict"),
    "errors": ("command_line", "docstrings", "every_flag"),
    "keras_internals": ("keras_globals", "backup_callbacks"),
    "pages": ("run_card_page", "report", "site"),
    "progress": ("console", "telling", "estimate"),
    "tf_data": ("steps", "sources", "data"),
    "report": ("command_line", "report"),
    "train": ("command_line", "every_flag", "plan"),
    "atomic": ("atomic", "crash_points", "checkpoints", "publishing"),
    "audit": ("audit", "bad_input", "leakage"),
    "baselines": ("baselines", "text_tfidf", "text_heads"),
    "callbacks": ("callbacks", "backup"),
    "checkpoints": ("checkpoints", "crash_points", "backup"),
    "compute": ("devices", "jit", "memory", "precision", "placing"),
    "config": ("settings", "configs", "every_flag", "command_line"),
    "data": ("data", "listing", "bad_input", "leakage", "tables"),
    "data.texts": ("text_data",),
    "exports": ("gate", "rounding", "exports", "inspection"),
    "exports.comparison": ("comparison", "differs", "gate"),
    "exports.runtimes": ("runtimes",),
    "inputs.image": ("audit", "bad_input", "pillow", "grad_cam"),
    "inputs.image.pixels": ("pixels", "pillow"),
    "inputs.text": ("text_tokens", "text_whole", "text_section"),
    "jobs": ("going_on", "jobs", "fault_tolerance", "acceptance", "evaluate"),
    "lazy_names": ("imports",),
    "networks": ("cutting", "networks", "foreign"),
    "networks.backbones": ("backbones", "file_kinds"),
    "networks.safetensors": ("safetensors",),
    "networks.text": ("text_networks", "text_hub"),
    "run_card": ("run_card", "report"),
    "runs": ("going_on", "first_look"),
    "search": ("search",),
    "serving.inference": ("inference", "predict"),
    "serving.server_client": ("server_client",),
    "serving.server_files": ("exports_extras",),
    "sources": ("data", "leakage"),
    "strategies": ("cutting", "networks"),
    "tasks.multiclass": (
        "linear_probe", "calibration", "evaluation", "label_issues",
    ),
    "tasks.multiclass.differs": ("differs", "comparison", "gate"),
    "tasks": ("table_targets", "targets", "differs"),
    "tasks.label_issue": ("label_issues",),
    "tasks.multilabel": ("multilabel",),
    "tasks.regression": ("regression",),
    "training.unfreezing": ("strategies",),
    "training": ("training", "interpolation", "steps", "jit"),
    "versions": ("exports_publishing", "exports", "inspection"),
}  # fmt: skip
SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Add, ast.And: ast.Or, ast.Or: ast.And, ast.In: ast.NotIn,
    ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def places(tree: ast.Module) -> list[tuple[int, str]]:
    """What can be changed: number of a node in the walk, and how."""
    found = []
    for number, node in enumerate(ast.walk(tree)):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            found.append((number, "compare"))
        elif isinstance(node, (ast.BinOp, ast.BoolOp)):
            if type(node.op) in SWAPS:
                found.append((number, "operator"))
        elif isinstance(node, ast.If):
            found.append((number, "condition"))
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            found.append((number, "number"))
    return found


def changed(text: str, number: int, how: str) -> tuple[str, int]:
    """The file with one change, and its line."""
    tree = ast.parse(text)
    node = list(ast.walk(tree))[number]
    if how == "compare":
        node.ops[0] = SWAPS[type(node.ops[0])]()
    elif how == "operator":
        node.op = SWAPS[type(node.op)]()
    elif how == "condition":
        node.test = ast.UnaryOp(ast.Not(), node.test)
    else:
        node.value += 1
    ast.fix_missing_locations(tree)
    return ast.unparse(tree), node.lineno


def drawn(count: int, seed: int):
    """(file, its text with a fault, what was done), some in every room."""
    luck = random.Random(seed)
    rooms: dict[str, list] = {}
    for file in sorted((CHECKOUT / "tl_keras").rglob("*.py")):
        rooms.setdefault(room_of(file.relative_to(CHECKOUT)), []).append(file)
    names = sorted(rooms)
    for turn in range(count):
        file = luck.choice(rooms[names[turn % len(names)]])
        text = file.read_text(encoding="utf-8")
        some = places(ast.parse(text))
        if not some:
            continue
        number, how = luck.choice(some)
        spoiled, line = changed(text, number, how)
        yield file.relative_to(CHECKOUT), spoiled, f"line {line}: {how}"


def planted():
    """The same of planted.py; a fault that no more fits is told."""
    for name, before, after in PLANTED:
        text = (CHECKOUT / name).read_text(encoding="utf-8")
        if text.count(before) != 1:
            raise SystemExit(f"{name}: {before!r} is there not once")
        words = " ".join(f"{before!r} -> {after!r}".split())
        yield pathlib.Path(name), text.replace(before, after), words


def room_of(file: pathlib.Path) -> str:
    return file.parts[1].removesuffix(".py")


def tests_of(file: pathlib.Path) -> list[str]:
    """The files that are asked first about a module of ours."""
    parts = file.with_suffix("").parts[1:]
    for end in range(len(parts), 0, -1):
        room = ".".join(parts[:end])
        if room in TESTS:
            break
    words = TESTS.get(room, (room,))
    return [
        str(test.relative_to(CHECKOUT))
        for word in words
        for test in sorted((CHECKOUT / "tests").glob("test_*.py"))
        if word in test.name
    ]


def fails(copy: pathlib.Path, files: list[str]) -> str:
    """The first test that fails; "" if none does."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p",
         "no:cacheprovider", *files],
        cwd=copy, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(copy)},
    )  # fmt: skip
    if not run.returncode:
        return ""
    told = [
        x for x in run.stdout.splitlines() if x.startswith(("FAILED", "ERR"))
    ]
    return told[0].split(" - ")[0] if told else f"exit code {run.returncode}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("planted", "drawn"))
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--first",
        type=int,
        default=0,
        help="leave out so many, that were asked before",
    )
    parser.add_argument("--only", default="", help="files with this in them")
    parser.add_argument("--whole", action="store_true")
    given = parser.parse_args()
    faults = planted() if given.kind == "planted" else drawn(
        given.count, given.seed
    )  # fmt: skip
    survivors, total = [], 0
    for number, (file, spoiled, words) in enumerate(faults):
        if number < given.first:
            continue
        if given.only not in str(file):
            continue
        with tempfile.TemporaryDirectory() as place:
            copy = pathlib.Path(place)
            for name in COPIED:
                source = CHECKOUT / name
                if source.is_dir():
                    shutil.copytree(source, copy / name)
                elif source.exists():
                    shutil.copy(source, copy / name)
            (copy / file).write_text(spoiled, encoding="utf-8")
            named = tests_of(file)
            # Without a name pytest would take the whole suite.
            found = fails(copy, named) if named else ""
            if not found and given.whole:
                found = fails(copy, [])
        total += 1
        print(f"{'found' if found else 'SURVIVED'} {file} {words} {found}",
              flush=True)  # fmt: skip
        if not found:
            survivors.append(f"{file} {words}")
    print(f"{total - len(survivors)} of {total} found")
    print("\n".join(survivors))


if __name__ == "__main__":
    main()
