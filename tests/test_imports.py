"""The arrows between rooms never turn back, and the names are one each."""

import ast
import graphlib
import importlib
import json
import pathlib
import subprocess
import sys
from importlib import metadata

import pytest
from conftest import CHECKOUT

import tl_keras

PACKAGE = pathlib.Path(tl_keras.__file__).parent

# Room -> the rooms it may import. A room not listed here may not exist.
BASE = {
    "atomic", "errors", "io_watchdog", "keras_globals", "keras_internals",
    "lazy_names", "log", "out_of_memory", "pages", "progress", "signals",
    "summaries", "tf_data", "versions",
}  # fmt: skip
ALLOWED = {
    "errors": set(),
    "keras_internals": set(),
    "versions": set(),
    "lazy_names": set(),
    "log": set(),
    "out_of_memory": set(),
    "pages": set(),
    "progress": {"log"},
    "summaries": set(),
    "tf_data": set(),
    "atomic": {"errors"},
    "keras_globals": {"keras_internals"},
    "signals": {"errors"},
    "io_watchdog": {"errors", "signals"},
    "cache": {"log"},
    "checkpoints": set(),
    "callbacks": {"checkpoints"},
    "networks": set(),
    "inputs": {"networks"},
    "runs": set(),
    "config": {"console", "networks", "runs"},
    "data": {"inputs", "runs"},
    "sources": {"data", "inputs"},
    "strategies": {"networks"},
    "baselines": {"inputs", "networks", "tasks"},
    "compute": {"cache", "networks"},
    "tasks": {"data", "inputs", "networks"},
    "advice": {"tasks"},
    "semi_supervised": {"tasks"},
    "audit": {"cache", "data", "inputs", "tasks"},
    "features": {"networks", "sources"},
    "training": {
        "callbacks", "checkpoints", "compute", "features", "networks",
        "sources", "strategies", "tasks",
    },
    "search": {
        "checkpoints", "data", "networks", "sources", "strategies", "tasks",
        "training",
    },
    "exports": {"inputs", "networks", "tasks"},
    "serving": {"audit", "compute", "data", "exports", "inputs", "tasks"},
    "run_card": {"inputs", "runs", "tasks"},
    "jobs": {
        "advice", "audit", "baselines", "cache", "compute", "config",
        "console", "data", "exports",
        "features", "inputs", "networks", "run_card", "runs", "search",
        "semi_supervised", "serving", "sources", "strategies", "tasks",
        "training",
    },
    "console": set(),
    "check": {"config", "jobs"},
    "compare": {"config", "jobs"},
    "__main__": set(),
    "predict": {"config", "jobs"},
    "evaluate": {"config", "jobs"},
    "report": {"config", "jobs"},
    "train": {"config", "jobs", "networks", "runs"},
    "__init__": {"keras_globals"},
}  # fmt: skip


def rooms() -> dict[str, list[pathlib.Path]]:
    """Room -> its files; a room is a module or a folder."""
    found: dict[str, list[pathlib.Path]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).parts
        room = parts[0].removesuffix(".py")
        found.setdefault(room, []).append(file)
    return found


def imported_rooms(file: pathlib.Path) -> set[str]:
    """Rooms of this package that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names]
    return {p[1] for p in parts if p[0] == "tl_keras" and len(p) > 1} - {
        "__version__"
    }


def test_every_room_is_in_the_table_and_only_they():
    assert set(rooms()) == set(ALLOWED)


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_what_the_table_allows(room):
    for file in rooms()[room]:
        extra = imported_rooms(file) - ALLOWED[room] - BASE - {room}
        if room in BASE:
            extra = imported_rooms(file) - ALLOWED[room] - {room}
        assert extra == set(), file


# Arrows that turn back, for annotations alone: (from, to).
TURNING_BACK = {
    ("exports.runtimes.converting", "exports.formats"),  # a row of the table
    ("tasks.values", "tasks.task"),  # an interface, and what it gives
}


def module_name(file: pathlib.Path) -> str:
    """As code imports it, without the package's name; "" is its face."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def arrows() -> dict[str, set[str]]:
    """Module -> those of ours that it imports, for annotations too."""
    files = {module_name(file): file for file in PACKAGE.rglob("*.py")}
    found = {}
    for name, file in files.items():
        imported = {
            full.removeprefix("tl_keras.")
            for full in imported_modules(file)
            if full.startswith("tl_keras.")
        }
        # What is no module is a name in one.
        modules = {
            one if one in files else one.rpartition(".")[0] for one in imported
        }
        found[name] = modules & set(files) - {name, ""}
    return found


def test_no_module_imports_one_that_imports_it():
    found = arrows()
    for start, end in TURNING_BACK:
        found[start].remove(end)  # It is there; else take it from the list.
    graphlib.TopologicalSorter(found).prepare()


def test_no_room_is_a_drawer_and_none_is_too_big():
    assert set(rooms()).isdisjoint({"utils", "common", "base", "helpers"})
    for files in rooms().values():
        for file in files:
            lines = len(file.read_text(encoding="utf-8").splitlines())
            assert lines <= 420, file


def imported_modules(file: pathlib.Path) -> set[str]:
    """Modules, of any package, that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_one_file_alone_takes_what_is_inside_keras():
    inside = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if any(
            name.split(".")[:2] == ["keras", "src"]
            for name in imported_modules(file)
        )
        or "keras.src." in file.read_text("utf-8").replace("`", "")
    }
    assert inside == {"keras_internals.py"}


# Who may print: what a person starts, and what prints where it is asked to.
PRINTING = {
    "console/console.py",  # for all others
    "__main__.py",  # the list of commands
    "config/command_line.py",  # faults, and what is for a program
    "callbacks/atomic_backup.py",  # with verbose=1
    "networks/pretrained/letters_vgg.py",  # a command of its own
}


def calls_print(file: pathlib.Path) -> bool:
    """Whether code prints; text that is code for others does not count."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
        for node in ast.walk(tree)
    )


def test_library_pieces_do_not_print():
    for files in rooms().values():
        for file in files:
            name = file.relative_to(PACKAGE).as_posix()
            assert calls_print(file) == (name in PRINTING), name


def test_shipped_code_has_no_asserts_and_reads_no_pickles():
    for files in rooms().values():
        for file in files:
            tree = ast.parse(file.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                assert not isinstance(node, ast.Assert), file
                if isinstance(node, ast.Import):
                    names = {alias.name for alias in node.names}
                    assert names.isdisjoint({"pickle", "joblib"}), file


def test_no_public_name_is_a_rooms_name():
    names = set(tl_keras.__all__) - {"callbacks"}
    assert names.isdisjoint(rooms())
    for name in tl_keras.__all__:
        assert getattr(tl_keras, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tl_keras.nothing


def test_no_public_name_of_a_package_is_a_modules():
    """Whichever was imported last would be meant."""
    for face in PACKAGE.rglob("__init__.py"):
        folder = face.parent
        name = ".".join(folder.relative_to(PACKAGE.parent).parts)
        names = set(getattr(importlib.import_module(name), "__all__", ()))
        modules = {
            path.stem for path in folder.iterdir() if path.stem != "__init__"
        }
        assert names & modules <= {"callbacks"}, name


def test_importing_the_package_loads_no_tensorflow():
    code = (
        "import sys, json, tl_keras; tl_keras.TransferConfig;"
        "print(json.dumps(sorted(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    loaded = set(json.loads(ran.stdout))
    assert loaded.isdisjoint({"tensorflow", "keras", "matplotlib", "sklearn"})


@pytest.mark.parametrize("room", sorted(set(ALLOWED) - {"__init__"}))
def test_every_room_can_be_imported_alone(room, warm_keras):
    """In a process where no other room came first: no hidden circle."""
    code = (
        "import sys\n"
        "assert not any(name.startswith('tl_keras') for name in sys.modules)\n"
        f"import tl_keras.{room}"
    )
    process = warm_keras.start(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True
    )
    _, told = process.communicate()
    assert process.returncode == 0, told


def test_what_is_tested_is_what_is_installed():
    """Not the checkout by accident: files left out of the wheel would pass."""
    distribution = metadata.distribution("tl-keras")
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        assert PACKAGE.parent == CHECKOUT
        return
    installed = pathlib.Path(distribution.locate_file("tl_keras"))
    assert installed.resolve() == PACKAGE.resolve()
    assert CHECKOUT not in PACKAGE.parents or ".venv" in str(PACKAGE)
    assert distribution.version == tl_keras.__version__
