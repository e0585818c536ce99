"""Models of others: refused before anything of them is loaded."""

import json
import os
import pathlib

import hostile
import numpy as np
import pytest
import tensorflow as tf

from tl_keras.data.catalogues import png
from tl_keras.errors import DataError
from tl_keras.exports import export_saved_model, inspect_export
from tl_keras.exports.graph import foreign_operations
from tl_keras.exports.manifest import MANIFEST
from tl_keras.versions import numbered

NAMES = ["a", "b"]


@pytest.fixture(scope="module")
def version(tiny_network, tmp_path_factory) -> pathlib.Path:
    from tl_keras.networks import build_classifier

    picture = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    return export_saved_model(
        build_classifier(str(tiny_network), 2),
        tmp_path_factory.mktemp("served"),
        class_names=NAMES,
        golden=[png(picture)],
    )


@pytest.fixture
def nothing_loads(monkeypatch):
    """Whatever loads a graph ends the test."""

    def load(*_, **__):
        raise AssertionError("a graph was loaded")

    monkeypatch.setattr(tf, "import_graph_def", load)
    monkeypatch.setattr(tf.saved_model, "load", load)
    monkeypatch.setattr(tf.compat.v1.train, "import_meta_graph", load)
    monkeypatch.setattr(tf.compat.v1.saved_model.loader, "load", load)


def changed(version, tmp_path, edit) -> tuple[pathlib.Path, pathlib.Path]:
    """A hostile copy, its manifest right, and the file it would write."""
    folder = hostile.copied(version, tmp_path / "1")
    made = tmp_path / "made"
    hostile.rewrite(folder, lambda saved: edit(saved.meta_graphs[0], made))
    return folder, made


def refused(folder, **options) -> str:
    with pytest.raises(DataError) as told:
        inspect_export(folder, **options)
    (line,) = told.value.faults
    assert len(line.splitlines()) == 1
    assert line.startswith(f"--model={folder}: ")
    return line


def test_our_own_export_is_whole_and_trusted(version):
    export = inspect_export(version.parent)
    assert export.folder == version
    assert export.labels == tuple(NAMES)
    assert export.warnings == ()
    files = json.loads((version / MANIFEST).read_text())["files"]
    there = {
        os.path.relpath(os.path.join(parent, name), version)
        for parent, _, names in os.walk(version)
        for name in names
    }
    assert set(files) == there - {MANIFEST}
    assert files["saved_model.pb"]["bytes"] == os.path.getsize(
        version / "saved_model.pb"
    )


@pytest.mark.parametrize("edit", hostile.GRAPHS, ids=lambda e: e.__name__)
def test_a_hostile_graph_is_refused_before_it_is_loaded(
    edit, version, tmp_path, nothing_loads
):
    """Though its manifest agrees: an attacker writes one too."""
    folder, made = changed(version, tmp_path, edit)
    refused(folder)
    assert os.listdir(tmp_path) == ["1"]
    assert not made.exists()


@pytest.mark.parametrize("edit", hostile.FOLDERS, ids=lambda e: e.__name__)
@pytest.mark.parametrize("trust_model", [False, True])
def test_a_hostile_folder_is_refused_even_when_trusted(
    edit, trust_model, version, tmp_path, nothing_loads
):
    folder = hostile.copied(version, tmp_path / "1")
    edit(folder, tmp_path / "made")
    refused(folder, trust_model=trust_model)
    assert not (tmp_path / "made").exists()
    assert not (folder / "made").exists()


@pytest.mark.parametrize(
    "edit",
    [
        hostile.init_op_writes,
        hostile.init_op_writes_in_a_nested_function,
        hostile.prints_to_a_file,
        hostile.restoring_writes_a_checkpoint,
    ],
    ids=lambda e: e.__name__,
)
def test_loading_those_graphs_would_have_written(edit, version, tmp_path):
    """TensorFlow's loader runs them: what is refused is no straw man."""
    folder, made = changed(version, tmp_path, edit)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.loader.load(session, ["serve"], str(folder))
    assert [b for b in written(made) if b"pwned" in b]


def written(made: pathlib.Path) -> list[bytes]:
    """What lies at a path, or at one that begins so."""
    return [f.read_bytes() for f in made.parent.glob(f"{made.name}*")]


def test_without_a_manifest_it_must_be_trusted(version, tmp_path):
    folder = hostile.copied(version, tmp_path / "1")
    (folder / MANIFEST).unlink()
    line = refused(folder)
    assert "has no assets.extra/manifest.json" in line
    assert "--trust_model loads it" in line
    export = inspect_export(folder, trust_model=True)
    assert len(export.warnings) == 1
    assert export.labels == tuple(NAMES)


def test_what_trust_lets_pass_is_told(version, tmp_path):
    folder, _ = changed(version, tmp_path, hostile.init_op_writes)
    export = inspect_export(folder, trust_model=True)
    assert "WriteFile (at write)" in export.warnings[0]


def test_a_damaged_file_is_named_with_the_remedy(version, tmp_path):
    folder = hostile.copied(version, tmp_path / "1")
    hostile.weights_changed(folder, None)
    line = refused(folder)
    assert "variables.data-00000-of-00001 was changed" in line
    assert "restore it" in line


def test_the_largest_number_is_the_version(version, tmp_path):
    for number in ("9", "10", "run"):
        hostile.copied(version, tmp_path / number)
    assert inspect_export(tmp_path).folder.name == "10"


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_a_version_is_named(there, tmp_path):
    folder = tmp_path / "x"
    if there:
        (folder / "run").mkdir(parents=True)
    line = refused(folder)
    assert ("no version in it" if there else "cannot be read") in line


def test_the_same_model_is_known_again(version, tmp_path):
    copy = hostile.copied(version, tmp_path / "7")
    assert inspect_export(copy).sha256 == inspect_export(version).sha256
    hostile.weights_changed(copy, None)
    hostile.seal(copy)
    assert inspect_export(copy).sha256 != inspect_export(version).sha256


@pytest.mark.parametrize("place", ["node", "function"])
def test_no_operation_on_files_is_on_the_list(place, version):
    graph = inspect_export(version).graph
    nodes = graph.graph_def.node
    if place == "function":
        nodes = hostile.function(graph, "plain").node_def
    for number, name in enumerate(hostile.FILES):
        nodes.add(name=f"n{number}", op=name)
    assert set(foreign_operations(graph)) == set(hostile.FILES)


def test_restoring_is_allowed_in_its_function_alone(version):
    export = inspect_export(version)
    assert foreign_operations(export.graph) == {}


def test_the_newest_version_is_the_largest_number(tmp_path):
    for name in ("2", "10", "9", "１２", "x", "run"):
        (tmp_path / name).mkdir()
    (tmp_path / "11").write_text("no folder")
    assert [path.name for path in numbered(tmp_path)] == ["10", "9", "2"]
