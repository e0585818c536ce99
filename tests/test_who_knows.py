"""Who knows what an example is, and what is predicted: their rooms alone.

The source is read, not run: a file outside `tasks/multiclass` that takes the
largest of several scores, or makes scores sum to 1, takes for granted that an
example is of one class; a file outside `inputs/image` whose names speak of
pixels takes it for a picture. Each that does so has its reason here.
"""

import ast
import pathlib
import re

import pytest

import tl_keras

PACKAGE = pathlib.Path(tl_keras.__file__).parent
ROOM = "tasks/multiclass/"
OF_ONE_CLASS = {"argmax", "softmax", "log_softmax", "Softmax", "top_k"}
# File -> why it may.
KNOWN = {
    "advice/classes.py": "advice is for one class of several",
    "advice/depth.py": "advice is for one class of several",
    "advice/learning_curve.py": "advice is for one class of several",
    "baselines/tfidf.py": "a baseline of its own, for one class of several",
    "semi_supervised/head.py": "labels are of one class of several",
    "semi_supervised/learner.py": "guessed labels are of one class of several",
    "audit/findings.py": "the class with the most examples, of a listing",
    "exports/comparison.py": "the row that differs most, of any answers",
    "exports/split.py": "the row that differs most, of any answers",
    "inputs/image/grad_cam.py": "of a model that nobody says more of, the "
    "output that is explained; and the activations whose gradient vanishes",
    "jobs/searching/outcome.py": "what folds say of one class of several, as "
    "probabilities",
    "networks/building.py": "`probabilities_model`, which people import",
    "networks/loading.py": "a backbone that ends in answers is refused",
    "search/head.py": "a head is called poor for one class of several alone",
    "config/suggestions.py": "--top_k, by what others call it",
    "config/predict.py": "--top_k, how many names are told",
    "jobs/predicting.py": "--top_k, how many names are told",
    "serving/inference/asking.py": "--top_k, how many names are told",
    "tasks/multilabel/task.py": "the server's Classify has ranked names too",
    "run_card/text_section.py": "a section for one class of several",
    "run_card/numbers.py": "the class with the most training examples",
}


def names_in(source: str) -> set[str]:
    """What code calls or reads, and texts that are one word: no docstring."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def test_only_its_room_takes_an_example_to_be_of_one_class():
    found = {
        name
        for file in PACKAGE.rglob("*.py")
        if not (name := file.relative_to(PACKAGE).as_posix()).startswith(ROOM)
        and names_in(file.read_text(encoding="utf-8")) & OF_ONE_CLASS
    }
    assert found == set(KNOWN)


@pytest.mark.parametrize(
    "source",
    ["x.argmax()", "np.argmax(x)", "from a import softmax",
     "layer = keras.layers.Softmax()", "Dense(3, activation='softmax')"],
)  # fmt: skip
def test_it_is_seen_however_it_is_written(source):
    assert names_in(source) & OF_ONE_CLASS


def test_words_about_it_do_not_count():
    assert not names_in('"""The argmax of it."""') & OF_ONE_CLASS


IMAGES_ROOM = "inputs/image/"
OF_A_PICTURE = re.compile("pixel|picture|jpe?g|image_size", re.IGNORECASE)
CHECK = "the check of pictures, which `audit.CHECKS_BY_KIND` has beside others"
NETWORKS = "networks whose input is a picture; texts have `networks.text`"
SIGNATURE = "the signature of pixels, which exports of pictures have"
SHOWN = "a page's picture of whatever has one: text and sound may"
# File -> why it may.
KNOWN_OF_PICTURES = {
    "audit/__init__.py": CHECK,
    "audit/cache.py": CHECK,
    "audit/decoding.py": CHECK,
    "audit/reading.py": CHECK,
    "audit/report_view.py": CHECK,
    "audit/rules.py": CHECK,
    "audit/unlabelled.py": CHECK,
    "config/data.py": "--max_pixels",
    "config/network.py": "--image_size, and how pictures are decoded",
    "config/paths.py": "endings by which a path is told from a table's",
    "config/rules.py": "what --image_size can be",
    "data/catalogues.py": "scikit-learn's digits and TFDS hold pictures",
    "data/looking.py": "files are told by their first bytes",
    "exports/__init__.py": "a decoding of pictures is its default",
    "exports/graph.py": "operations that decode pictures may be in a graph",
    "exports/runtimes/ask_file.py": "a file for another runtime takes pixels",
    "inputs/kinds.py": "`Preview`, what a page shows of an example",
    "jobs/checking.py": "--image_size and --max_pixels become arguments",
    "jobs/decoding.py": "settings become a `Decoding`",
    "jobs/kinds/__init__.py": "the table of kinds of runs",
    "jobs/kinds/albums.py": "a kind of run, of pictures",
    "jobs/kinds/pictures.py": "a kind of run, of pictures",
    "networks/backbones/building.py": NETWORKS,
    "networks/backbones/cost.py": NETWORKS,
    "networks/building.py": NETWORKS,
    "networks/loading.py": NETWORKS,
    "networks/pretrained/letters_vgg.py": NETWORKS,
    "networks/views.py": NETWORKS,
    "pages.py": SHOWN,
    "run_card/gallery.py": SHOWN,
    "run_card/page.py": SHOWN,
    "run_card/page_values.py": SHOWN,
    "run_card/task_page.py": SHOWN,
    "serving/inference/gallery.py": SHOWN,
    "serving/server_client/client.py": SIGNATURE,
    "serving/server_client/rest.py": SIGNATURE,
    "serving/server_client/rpc.py": SIGNATURE,
    "sources/loading.py": "`load_images`, which people import",
    "sources/pipeline.py": "`image_size`, which people ask of `load_images`'s",
}


def own_names(source: str) -> set[str]:
    """All names that code makes, reads or passes by; no text."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.arg | ast.keyword):
            found.add(node.arg or "")
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.alias):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def speaks_of_pictures(source: str) -> bool:
    return any(map(OF_A_PICTURE.search, own_names(source)))


def test_only_its_room_takes_an_example_for_a_picture():
    found = {
        name
        for file in PACKAGE.rglob("*.py")
        if not (name := file.relative_to(PACKAGE).as_posix()).startswith(
            IMAGES_ROOM
        )
        and speaks_of_pictures(file.read_text(encoding="utf-8"))
    }
    assert found == set(KNOWN_OF_PICTURES)


@pytest.mark.parametrize(
    ("source", "speaks"),
    [
        ("side = decoding.image_size", True),
        ("def of(pictures): ...", True),
        ("class JpegReader: ...", True),
        ("f(pixels=1)", True),
        ("from tl_keras.inputs.image.pixels import load", True),
        ("print('no picture')", False),
        ("examples = load_images(folder)", False),
    ],
)
def test_a_picture_is_seen_in_any_name(source, speaks):
    assert speaks_of_pictures(source) is speaks
