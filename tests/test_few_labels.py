"""jobs/few_labels.py: features for advice, and what people read of it."""

import types

import keras
import numpy as np
import pytest
import tiny
from conftest import write_picture

from tl_keras import run
from tl_keras.config import TransferConfig
from tl_keras.data import Examples
from tl_keras.errors import ConfigError
from tl_keras.features import FeatureStore
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.jobs import few_labels, stages
from tl_keras.jobs.stages import wants_advice
from tl_keras.networks import build_classifier
from tl_keras.run_card import markdown, next_words, reason_words
from tl_keras.runs import RunFolder, read_state
from tl_keras.sources import LabelledExamples


@pytest.fixture
def pictures(tmp_path) -> LabelledExamples:
    files = [tmp_path / f"{number}.png" for number in range(6)]
    for number, file in enumerate(files):
        write_picture(file, number, number % 2)
    names = tuple(map(str, files))
    labels = np.arange(6, dtype=np.int32) % 2
    return LabelledExamples(Examples(names, labels, names), Decoding(16))


@pytest.mark.usefixtures("plain_decoder")
def test_features_of_stages_are_what_lies_before_them(
    pictures, tiny_network, tmp_path, monkeypatch
):
    model = build_classifier(str(tiny_network), 2)
    config = types.SimpleNamespace(backbone="Tiny", batch_size=4)
    prepared = types.SimpleNamespace(model=model, config=config)
    store = FeatureStore(tmp_path / "store")
    assert few_labels.stage_features(prepared, store, pictures) == {}
    monkeypatch.setitem(
        few_labels.backbones.BACKBONES,
        "Tiny",
        types.SimpleNamespace(stages=("one", "two")),
    )
    # Before the first layer that computes there is nothing to probe.
    found = few_labels.stage_features(prepared, store, pictures)
    assert list(found) == ["two"]
    pixels = np.concatenate([batch for batch, _ in pictures.batches(6)])
    before = keras.Model(
        model.inputs[0], model.get_layer("one_pool").output
    ).predict(pixels, verbose=0)
    np.testing.assert_allclose(
        found["two"], before.mean(axis=(1, 2)), rtol=1e-4, atol=1e-5
    )
    # A pass that would take long is not done.
    monkeypatch.setattr(few_labels, "MAX_PASS", 10)
    assert few_labels.stage_features(prepared, store, pictures) == {}


# Settings, and whether there is advice; or the words of a refusal.
WANTED = {
    "by default": ({}, True),
    "switched off": ({"advice": False}, False),
    "without a store": ({"feature_cache": "off"}, False),
    "without a head": ({"head_epochs": 0}, False),
    "of views": ({"augment": "flip"}, False),
    "of views, asked for": ({"augment": "flip", "advice": True}, True),
    "asked for, no store": (
        {"feature_cache": "off", "advice": True}, "keeps nothing",
    ),
    "asked for, no head": (
        {"head_epochs": 0, "advice": True}, "has no frozen head",
    ),
    "asked for, hidden units": (
        {"head_units": (9,), "advice": True}, "no linear head",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WANTED)
def test_advice_is_given_where_it_can_be(case):
    values, expected = WANTED[case]
    config = TransferConfig(dataset="digits", backbone="letters_vgg", **values)
    if isinstance(expected, str):
        with pytest.raises(ConfigError, match=expected):
            config.validate()
        return
    config.validate()
    assert wants_advice(config) == expected


@pytest.mark.usefixtures("plain_decoder")
def test_advice_of_a_killed_run_is_not_computed_again(
    tiny_network, tmp_path, monkeypatch
):
    advising = tiny.UNTRAINED._replace(
        training=tuple(
            stage._replace(do=stages.advise)
            if stage.name == "advice"
            else stage
            for stage in tiny.UNTRAINED.training
        )
    )
    config = tiny.config(
        tiny.write_colors(tmp_path / "colors"), tiny_network, tmp_path / "out",
        dropout=0.0, fine_tune_epochs=0, feature_cache=str(tmp_path / "kept"),
    )  # fmt: skip
    with pytest.raises(tiny.CutShortError):
        run(config, stages=advising.replacing(tiny.fit, tiny.end))
    kept = read_state(RunFolder.of(tmp_path / "out")).advice
    assert len(kept["sentences"]) >= 2
    monkeypatch.setattr(stages, "advise_on", tiny.end)
    assert run(config, stages=advising).metrics["advice"] == kept


FOUND = {
    "found": 12, "used": 9, "left_out": {"looks like one <b>": 3},
    "share": 0.5, "answers": 40, "loss": 0.5, "loss_with": 0.4,
    "accuracy": 0.8, "accuracy_with": 0.9,
}  # fmt: skip


def test_the_card_says_what_pictures_without_labels_were_worth():
    (line,) = reason_words.unlabelled({"unlabelled": FOUND})
    for part in (
        "9 of 12 pictures without labels could be used, and were learnt from",
        "the loss with them is 0.400, without them 0.500",
        "accuracy 90.0 % and 80.0 %",
        "3 left out: looks like one",
    ):
        assert part in line
    (line,) = reason_words.unlabelled({"unlabelled": FOUND | {"share": 0}})
    assert "were not learnt from" in line
    few = {"found": 1, "used": 1, "left_out": {}, "share": 0, "answers": 0}
    (line,) = reason_words.unlabelled({"unlabelled": few})
    assert "needs two labels of each class" in line
    assert reason_words.unlabelled({}) == []


def test_advice_stands_in_markdown_without_its_markup():
    told = {"advice": {"sentences": ["Label more of '*<i>' first."]}}
    assert next_words.to_do(told) == ["Label more of '*<i>' first."]
    lines = markdown.advice_lines(told)
    assert lines[0] == "## What next"
    assert lines[2] == "- Label more of '\\*\\<i\\>' first."
    assert markdown.advice_lines({}) == []
