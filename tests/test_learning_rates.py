"""find_learning_rate: losses of steps at rising rates, undone afterwards."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_choices import PLAIN, small
from test_training import data

from tl_keras import TransferConfig
from tl_keras.errors import DivergedError
from tl_keras.jobs.rates import find_rates
from tl_keras.networks import LOGITS
from tl_keras.strategies import LoRA
from tl_keras.training import (
    Phase,
    RateRange,
    find_learning_rate,
    get_variables,
)
from tl_keras.training.learning_rates import smooth


def test_losses_are_those_of_steps_by_hand():
    model = small()
    before = get_variables(model)
    found = find_learning_rate(
        model, PLAIN, data(), lowest=1e-3, highest=1.0, steps=10
    )
    for one, two in zip(before, get_variables(model), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(found.rates[[0, 3, 9]], [1e-3, 1e-2, 1.0])
    batches = [*data()] * 5  # epochs follow each other
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    weights = model.get_layer(LOGITS).trainable_variables
    for rate, want, (pixels, labels) in zip(
        found.rates, found.losses, batches, strict=True
    ):
        with tf.GradientTape() as tape:
            cost = loss(labels, model(pixels, training=True))
        assert float(cost) == pytest.approx(want, rel=1e-5)
        for v, g in zip(weights, tape.gradient(cost, weights), strict=True):
            v.assign_sub(rate * g)


def test_a_lora_is_tried_and_taken_out_again():
    model = small()
    before = {v.path: np.array(v) for v in model.variables}
    phase = Phase("t", 1, 1e-3, strategy=LoRA(2))
    find_learning_rate(model, phase, data(), steps=10)
    after = {v.path: np.array(v) for v in model.variables}
    assert list(after) == list(before)
    for path, value in before.items():
        np.testing.assert_array_equal(after[path], value)


def test_it_stops_where_the_loss_explodes_and_suggests_a_tenth():
    found = find_learning_rate(
        small(), PLAIN, data(), lowest=1e-3, highest=1e7, steps=50
    )
    assert 10 < len(found.rates) < 50
    assert found.losses[-1] > 4 * found.losses.min()
    assert found.at_least == found.rates[found.smoothed.argmin()]
    assert found.suggested == found.at_least / 10
    assert found.at_least < found.rates[-1]


def test_the_moving_average_begins_without_a_pull_to_zero():
    np.testing.assert_allclose(smooth(np.full(5, 3.0)), 3.0)
    np.testing.assert_allclose(
        smooth(np.array([1.0, 2.0])), [1.0, (0.09 + 0.2) / 0.19]
    )


def test_the_plot_is_a_picture(tmp_path):
    rates = np.geomspace(1e-5, 1, 20)
    losses = 1 + (np.log10(rates) + 2) ** 2
    RateRange(rates, losses, losses).plot(tmp_path / "rates.png")
    assert (tmp_path / "rates.png").read_bytes()[:4] == b"\x89PNG"


def test_what_it_refuses():
    with pytest.raises(ValueError, match="steps=3"):
        find_learning_rate(small(), PLAIN, data(), steps=3)
    with pytest.raises(ValueError, match="is solved"):
        solved = Phase("head", 1, 1e-3, solver="lbfgs")
        find_learning_rate(small(), solved, data())
    broken = small()
    broken.get_layer(LOGITS).bias.assign([np.nan, 0])
    with pytest.raises(DivergedError, match="begin lower"):
        find_learning_rate(broken, PLAIN, data(), steps=10)


@pytest.mark.usefixtures("plain_decoder")
def test_the_switch_plots_and_says_which_flag(
    color_folder, tiny_network, tmp_path
):
    config = TransferConfig(
        dataset=str(color_folder), backbone=str(tiny_network),
        output_dir=str(tmp_path / "out"), val_fraction=0.25,
        test_fraction=0.25, fine_tune_epochs=2, unfreeze_from="two",
        batch_size=4,
    )  # fmt: skip
    head, tune = find_rates(config).splitlines()
    assert head == "phase head: is solved, without a rate"
    assert "--fine_tune_learning_rate=" in tune
    assert [file.name for file in (tmp_path / "out").iterdir()] == [
        "learning_rates_fine_tune.png"
    ]
