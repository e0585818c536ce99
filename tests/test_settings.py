"""settings.py and config.py: parsing, limits, all faults at once."""

import ast
import dataclasses
import inspect
import pathlib
import re
import subprocess
import sys

import pytest

from tl_keras.config import TransferConfig, command_line, kinds, settings
from tl_keras.config.settings import Settings, setting
from tl_keras.errors import ConfigError
from tl_keras.jobs import first_look
from tl_keras.jobs.same_run import Stored, differences
from tl_keras.runs import RunFolder, RunState, parse_flags
from tl_keras.tasks import TASKS, task_class
from tl_keras.tasks.multilabel import losses as label_losses
from tl_keras.tasks.regression.task import LOSSES as value_losses

PACKAGE = pathlib.Path(settings.__file__).parent.parent


@dataclasses.dataclass(frozen=True)
class Paint(Settings):
    coats: int = setting(2, "how many", group="g", unit="coats", low=1, high=9)
    share: float = setting(0.5, "of it", group="g", low=0, high=1)
    shiny: bool = setting(False, "or not", group="g")
    size: int | None = setting(None, "or auto", group="g", low=1)
    layers: tuple[int, ...] = setting((), "each", group="h", low=1)
    color: str = setting("red", "of", group="h", choices=("red", "blue"))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("coats", "3", 3),
        ("coats", " 3 ", 3),
        ("share", "1", 1.0),
        ("share", "1e-3", 0.001),
        ("shiny", "true", True),
        ("shiny", "0", False),
        ("size", "", None),
        ("size", "auto", None),
        ("size", "7", 7),
        ("layers", "4096,4096", (4096, 4096)),
        ("layers", "", ()),
        ("color", "blue", "blue"),
    ],
)
def test_strings_become_values_and_back(name, text, value):
    paint = Paint.from_strings({name: text})
    assert getattr(paint, name) == value
    flags = dict(
        line.removeprefix("--").split("=", 1)
        for line in paint.to_flags().splitlines()
    )
    assert Paint.from_strings(flags) == paint


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("coats", "two", "a whole number, 1 to 9 coats"),
        ("coats", "2.5", "a whole number"),
        ("coats", "0", "1 to 9"),
        ("coats", "10", "1 to 9"),
        ("share", "nan", "a number, 0 to 1"),
        ("share", "1.01", "0 to 1"),
        ("shiny", "maybe", "true or false"),
        ("size", "0", "1 or more"),
        ("layers", "4,,5", "whole numbers with commas"),
        ("layers", "4,x", "whole numbers with commas"),
        ("layers", "4,0", "1 or more"),
        ("color", "green", "one of red, blue"),
    ],
)
def test_a_wrong_string_says_what_was_expected(name, text, expected):
    with pytest.raises(ConfigError) as caught:
        Paint.from_strings({name: text})
    (line,) = caught.value.faults
    assert line.startswith(f"--{name}={text}")
    assert expected in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("coats", "3"),
        ("coats", True),
        ("coats", 2.0),
        ("share", None),
        ("shiny", 1),
        ("layers", [3]),
        ("layers", ("3",)),
        ("color", 5),
    ],
)
def test_a_python_value_of_another_type_is_a_fault(name, value):
    with pytest.raises(ConfigError, match=f"^{name}="):
        Paint(**{name: value}).validate()


@pytest.mark.parametrize("value", [None, ["x"], 1j, object])
@pytest.mark.parametrize("name", ["backbone", "dataset", "weights", "task"])
def test_no_type_ends_in_a_traceback(name, value):
    config = TransferConfig(**{"dataset": "digits", name: value})
    with pytest.raises(ConfigError, match=f"^{name}=.*expected"):
        config.validate()


def test_a_path_is_as_good_as_its_text(tmp_path):
    config = TransferConfig(dataset=tmp_path, output_dir=tmp_path / "out")
    assert config == TransferConfig(
        dataset=str(tmp_path), output_dir=str(tmp_path / "out")
    )


def test_all_faults_are_told_at_once_and_none_twice():
    with pytest.raises(ConfigError) as caught:
        TransferConfig.from_strings(
            {
                "dataset": "nowhere",
                "batch_size": "x",
                "backbone": "VGG61",
                "resize": "stretch",
                "momentum": "0.5",
                "head_epochs": "-1",
            }
        )
    told = [fault.split("=")[0].split(":")[0] for fault in caught.value.faults]
    assert sorted(told) == [
        "--backbone", "--batch_size", "--dataset", "--head_epochs",
        "--momentum", "--resize",
    ]  # fmt: skip


CASES = {
    "no dataset": ({"dataset": ""}, "nothing received"),
    "csv missing": (
        {"dataset": "none.csv"},
        "expected a table's file, found no",
    ),
    "weights missing": ({"weights": "w.h5"}, "found nothing"),
    "weights a folder": ({"weights": "/"}, "found a folder"),
    "near backbone": ({"backbone": "MobileNetv2"}, "MobileNetV2"),
    "keras file missing": ({"backbone": "my.keras"}, "found nothing"),
    "arguments malformed": ({"backbone_args": "alpha"}, "--backbone_args"),
    "arguments of a file": (
        {"backbone": "letters_vgg", "backbone_args": "alpha=1"},
        "only an application",
    ),
    "imagenet of a file": (
        {"backbone": "letters_vgg", "weights": "imagenet"},
        "no Keras application",
    ),
    "too small": ({"image_size": 16}, "expected 32 or more"),
    "scaling of an application": ({"input_scaling": "tf"}, "does nothing"),
    "momentum of adam": ({"momentum": 0.8}, "only --optimizer=sgd"),
    "decay of sgd": (
        {"optimizer": "sgd", "weight_decay": 0.1},
        "only --optimizer=adamw",
    ),
    "nothing to halve": (
        {"auto_batch": True, "batch_size": 1},
        "--batch_size=1 cannot be halved",
    ),
    "no weights file": ({"weights": ""}, "found nothing"),
    "scratch against scratch": (
        {"compare_scratch": True, "weights": "none"},
        "transfers nothing",
    ),
    "no epochs": ({"head_epochs": 0, "fine_tune_epochs": 0}, "nothing would"),
    "nothing unfrozen": ({"unfreeze_from": "none"}, "nothing is unfrozen"),
    "few-shot and a share": (
        {"train_examples_per_class": 5, "test_fraction": 0.3},
        "--test_fraction: given, but",
    ),
    "two sizes of validation": (
        {"val_examples_per_class": 5, "val_fraction": 0.3},
        "--val_fraction: given, but",
    ),
    "nothing to train on": (
        {"val_fraction": 0.5, "test_fraction": 0.5},
        "sum below 1",
    ),
    "data_dir of digits": ({"data_dir": "."}, "--data_dir: given, but"),
    "val folder for digits": ({"val_dataset": "."}, "is no folder"),
    "a line break": ({"output_dir": "a\nb"}, "expected one line"),
    "a space": ({"output_dir": " a"}, "without spaces around"),
    "bad name": ({"name": "../x"}, "--output_dir"),
}


@pytest.mark.parametrize("case", CASES)
def test_nonsense_is_refused(case):
    values, expected = CASES[case]
    with pytest.raises(ConfigError) as caught:
        TransferConfig(**{"dataset": "digits", **values}).validate()
    assert any(expected in fault for fault in caught.value.faults)
    assert all("\n" not in fault for fault in caught.value.faults)


def test_defaults_never_count_and_zero_epochs_silence_a_phase():
    TransferConfig(dataset="digits", momentum=0.9).validate()
    TransferConfig(
        dataset="digits",
        fine_tune_epochs=0,
        unfreeze_from="block5",
        fine_tune_learning_rate=1e-6,
        train_batch_norm=True,
    ).validate()


def test_a_kind_of_input_brings_its_own_defaults(tmp_path):
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text("{}")
    backbones = {"image": "VGG16", "text": str(tmp_path / "bert")}
    for name, by_kind in kinds.DEFAULTS.items():
        assert by_kind.keys() == kinds.MANY.keys() == backbones.keys()
        (field,) = [
            f for f in dataclasses.fields(TransferConfig) if f.name == name
        ]
        assert field.default is None
        for kind, value in by_kind.items():
            config = TransferConfig(dataset="x", backbone=backbones[kind])
            assert getattr(config, name) == value == config.default(name)
            assert f"{value} with {kinds.MANY[kind]}" in field.metadata["help"]
            # What a run writes down is the number, and given by nobody.
            text = config.to_flags()
            assert f"--{name}={value}\n" in text
            flags = parse_flags(text)
            again = dataclasses.replace(config, **{name: int(flags[name])})
            assert not again.given(name)
            assert again.by_hand() == []
            other = dataclasses.replace(config, **{name: value + 1})
            assert other.given(name)


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("digits", "digits"),
        ("/data/my flowers/", "my_flowers"),
        ("a/pets.csv", "pets"),
        ("tfds:tf_flowers:3.0.1", "tf_flowers"),
        ("tfds:a/b:1.0.0", "a_b"),
    ],
)
def test_the_run_is_named_after_its_dataset(dataset, name):
    assert TransferConfig(dataset=dataset).run_name() == name


def test_resolved_paths_are_absolute_and_words_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flowers").mkdir()
    config = TransferConfig(dataset="flowers").resolved()
    assert config.dataset == str(tmp_path / "flowers")
    assert config.output_dir == str(tmp_path / "saved_models" / "flowers")
    assert (config.weights, config.backbone) == ("auto", "VGG16")


def test_a_folder_named_as_a_word_does_not_take_its_place(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("digits", "auto", "imagenet", "none", "off"):
        (tmp_path / name).mkdir()
    config = TransferConfig(
        dataset="digits", weights="imagenet", feature_cache="off"
    ).resolved()
    assert (config.dataset, config.weights, config.feature_cache) == (
        "digits", "imagenet", "off"
    )  # fmt: skip
    assert TransferConfig(dataset="digits").resolved().weights == "auto"


def test_choices_are_those_of_the_rooms():
    from tl_keras import audit, networks
    from tl_keras.data.options import LABELS_FROM
    from tl_keras.inputs.image import pixels
    from tl_keras.networks import backbones
    from tl_keras.training import phase

    choices = {
        field.name: field.metadata["choices"]
        for field in dataclasses.fields(TransferConfig)
    }
    assert choices["resize"] == tuple(pixels.RESIZES)
    assert choices["augment"] == pixels.Decoding.augments
    assert choices["pooling"] == tuple(networks.POOLINGS)
    assert choices["bit_depth_scale"] == tuple(pixels.BIT_DEPTH_SCALES)
    tasks = [task_class(name) for name in TASKS]
    assert choices["task"] == ("auto", *TASKS)
    assert choices["monitor"] == tuple(
        dict.fromkeys(m for task in tasks for m in task.monitors)
    )
    assert choices["loss"] == ("auto", *label_losses.LOSSES, *value_losses)
    assert choices["optimizer"] == tuple(phase.OPTIMIZERS)
    assert choices["schedule"] == phase.SCHEDULES
    assert set(choices["head_solver"]) == {"auto", *phase.SOLVERS}
    assert choices["label_from"] == LABELS_FROM
    assert choices["check"] == audit.CHECKS
    assert choices["bad_input"] == audit.BAD_INPUTS
    assert set(choices["input_scaling"]) == {"auto", *backbones.SCALINGS}


def test_an_optimizers_settings_are_refused_with_the_others():
    """Who reads which is written in `rules` and in `phase`."""
    from tl_keras.training.phase import OPTIMIZERS

    for optimizer, (_, options) in OPTIMIZERS.items():
        for name in ("momentum", "weight_decay"):
            config = TransferConfig(
                dataset="digits", optimizer=optimizer, **{name: 0.5}
            )
            told = [f for f in config.faults() if name in f.names]
            assert bool(told) == (name not in options), (optimizer, name)


def test_what_is_none_is_written_so_that_a_new_default_changes_nothing():
    text = TransferConfig(dataset="digits").to_flags()
    for name in ("image_size", "min_accuracy", "calibrate", "deterministic"):
        assert f"--{name}=none\n" in text
    flags = parse_flags(text)
    config = TransferConfig(dataset="digits")
    assert TransferConfig.from_strings(flags) == config
    # A file that lacks these lines is of the same run.
    older = {name: v for name, v in flags.items() if v != "none"}
    stored = Stored(RunFolder("run"), RunState.new("", {}), older)
    assert differences(config, stored) == []
    other = dataclasses.replace(config, image_size=64)
    assert differences(other, stored) == [
        "--image_size: the run has none, received 64"
    ]


def names_read(tree: ast.AST, whose: set[str]) -> set[str]:
    """Attributes that are read of objects with such names."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and getattr(node.value, "id", getattr(node.value, "attr", "")) in whose
    }


def trees(folder: str) -> list[ast.Module]:
    files = sorted((PACKAGE / folder).rglob("*.py"))
    return [ast.parse(file.read_text(encoding="utf-8")) for file in files]


def test_every_setting_is_read_somewhere():
    """An option that nothing reads is a lie in the help text.

    The job reads it, the command that starts it, or a method of the settings
    that one of these calls. To be checked for nonsense is not to be read.
    """
    whose = {"config", "given", "settings"}
    modules = (command_line, first_look)
    outside = [ast.parse(inspect.getsource(module)) for module in modules]
    outside += trees("jobs")
    read = set().union(*(names_read(tree, whose) for tree in outside))
    methods = {
        node.name: names_read(node, {"self"})
        for tree in trees("config")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.name not in ("validate", "combination_faults", "to_flags")
    }
    found = set(read)
    while new := set().union(*(methods.get(name, set()) for name in read)):
        read = new - found
        found |= new
    names = {field.name for field in dataclasses.fields(TransferConfig)}
    assert names - found == set()
    assert "no_such_setting" not in found


def test_settings_load_no_tensorflow():
    code = (
        "import sys, tl_keras, tl_keras.config, tl_keras.train\n"
        "tl_keras.TransferConfig(dataset='digits').validate()\n"
        "print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert ran.stdout.strip() == "set()", ran.stderr


def test_the_tables_of_the_site_have_every_setting():
    shown = settings.markdown_tables(TransferConfig)
    rows = [line for line in shown.splitlines() if line.startswith("| `--")]
    names = {field.name for field in dataclasses.fields(TransferConfig)}
    assert {re.match(r"\| `--(\w+)`", row)[1] for row in rows} == names
    assert len(rows) == len(names)
    for row in rows:  # What a table or a link of Markdown would swallow.
        assert len(re.findall(r"(?<!\\)\|", row)) == 4, row
        assert not re.search(r"(?<!\\)[\[<]", row), row


@pytest.mark.parametrize(
    ("given", "words"),
    [("epochs", "head_epochs or fine_tune_epochs"), ("datset", "dataset"),
     ("qqqqq", r"help\(TransferConfig\) lists them"),
     ("lr", "head_learning_rate or fine_tune_learning_rate")],
)  # fmt: skip
def test_a_name_that_is_no_setting_is_answered_by_ours(given, words):
    with pytest.raises(TypeError, match=f"no setting {given} - .*{words}"):
        TransferConfig(**{given: 3})
