"""Who knows what is predicted: the room of the task, and nobody else.

The source is read, not run: a file outside `tasks/multiclass` that takes the
largest of several scores, or makes scores sum to 1, takes for granted that an
example is of one class. Each that does so has its reason here.
"""

import ast
import pathlib

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
    "semi_supervised/head.py": "guessed labels are of one class of several",
    "audit/findings.py": "the class with the most examples, of a listing",
    "exports/comparison.py": "the row that differs most, of any answers",
    "exports/split.py": "the row that differs most, of any answers",
    "inputs/image/grad_cam.py": "of a model that nobody says more of, the "
    "output that is explained; and the activations whose gradient vanishes",
    "networks/building.py": "`probabilities_model`, which people import",
    "networks/loading.py": "a backbone that ends in answers is refused",
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
