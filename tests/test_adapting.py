"""Flags of a fine-tune: each reaches its phase, its graph and its page."""

import json

import numpy as np
import pytest
import tensorflow as tf
import tiny
from test_strategies import layers_of_all_kinds
from test_training import data

from tl_keras import jobs, run
from tl_keras.config import TransferConfig
from tl_keras.exports.signatures import write_signatures
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.jobs.planning import plan_phases
from tl_keras.networks import build_classifier, probabilities_model
from tl_keras.strategies import LoRA
from tl_keras.training import Phase, fit_phases

OF_PHASE = {
    "layer_decay": 0.5, "l2_sp": 0.1, "ema_momentum": 0.9, "sam_rho": 0.05,
    "mixup": 0.2, "cutmix": 1.0, "seed": 3,
}  # fmt: skip


@pytest.mark.parametrize("name", OF_PHASE)
def test_a_flag_is_read_by_the_fine_tune_alone(name):
    config = TransferConfig(dataset="digits", **{name: OF_PHASE[name]})
    head, tune = plan_phases(config)
    assert getattr(tune, name) == OF_PHASE[name]
    assert getattr(head, name) == getattr(Phase, name)
    assert head.solver == "lbfgs"  # is solved all the same


def test_lora_takes_the_place_of_unfreezing():
    config = TransferConfig(
        dataset="digits", adapt_by="lora", lora_rank=3, unfreeze_from="block5"
    )
    _, tune = plan_phases(config)
    assert tune.adapts_by() == LoRA(3, unfreeze_from="block5")
    assert tune.unfreeze_from == "none"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"lora_rank": 4}, "only --adapt_by=lora reads it"),
        ({"adapt_by": "lora", "train_batch_norm": True}, "unfreezes no layer"),
        ({"adapt_by": "lora", "unfreeze_phases": 2}, "unfreezes no layer"),
        (
            {"unfreeze_phases": 3, "fine_tune_epochs": 2},
            "--unfreeze_phases=3: expected at most --fine_tune_epochs=2",
        ),
        ({"ema_momentum": 1.0}, "--ema_momentum=1.0: expected"),
        ({"layer_decay": 0.0}, "--layer_decay=0.0: expected"),
    ],
)
def test_nonsense_is_told(given, told):
    faults = TransferConfig(dataset="digits", **given).faults()
    (line,) = [fault.message for fault in faults if told in fault.message]
    assert " - " in line or "expected" in line
    silenced = {**given, "fine_tune_epochs": 0}
    if "expected" not in told:
        silent = TransferConfig(dataset="digits", **silenced).faults()
        assert [f for f in silent if told in f.message] == []


def test_the_exported_graph_is_the_merged_model(tmp_path):
    """To 1e-5, from variables of which none is a factor."""
    model = build_classifier(layers_of_all_kinds(), 2)
    phase = Phase("t", 3, 0.05, strategy=LoRA(2))
    fit_phases(model, [phase], data(), verbose=0)
    pixels = tf.cast(next(iter(data(8)))[0], tf.float32)
    write_signatures(model, tmp_path / "1", ["a", "b"], Decoding(16))
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    got = loaded.signatures["serving_float"](pixels)["probabilities"]
    want = probabilities_model(model)(pixels)
    np.testing.assert_allclose(got, want, atol=1e-5)
    stored = tf.train.list_variables(str(tmp_path / "1/variables/variables"))
    shapes = [shape for name, shape in stored if name.endswith("VALUE")]
    held = [list(v.shape) for v in model.weights]
    assert sorted(shapes) == sorted(held)


@pytest.mark.usefixtures("plain_decoder")
def test_a_run_by_lora_says_so_and_goes_on(
    color_folder, tiny_network, tmp_path
):
    config = tiny.config(
        color_folder, tiny_network, tmp_path / "out", adapt_by="lora",
        lora_rank=2, compare_scratch=True, head_epochs=0, dropout=0.0,
    )  # fmt: skip
    result = run(config, stages=tiny.QUICK)
    metrics = json.loads((result.run_folder / "metrics.json").read_text())
    (phase,) = metrics["phases"]
    assert phase["adapts"] == (
        "the head, and kernels from two onward by LoRA of rank 2"
    )
    head, factors = 6 * 2 + 2, 2 * (3 * 3 * 4 + 6)
    assert phase["trainable_parameters"] == head + factors
    assert phase["done_once"]["after"].startswith("one_")
    assert metrics["scratch"]["test"]["examples"] == 6


@pytest.mark.usefixtures("plain_decoder")
def test_a_plan_tells_stages(color_folder, tiny_network, tmp_path):
    config = tiny.config(
        color_folder, tiny_network, tmp_path / "out", unfreeze_from="all",
        unfreeze_phases=2, fine_tune_epochs=5,
    )  # fmt: skip
    told = jobs.plan(config)
    assert "fine_tune_1: 2 epochs, adam at 0.0001, unfrozen from two" in (told)
    assert "fine_tune_2: 3 epochs, adam at 0.0001, unfrozen from all" in (told)
