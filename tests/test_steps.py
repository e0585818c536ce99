"""steps.py: Keras's fit by our own step functions, to the same bits."""

import dataclasses
import subprocess
import sys
import textwrap

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as determinism

from tl_keras.console import on_console
from tl_keras.errors import StoppedError
from tl_keras.features import FeatureStore
from tl_keras.networks import build_classifier
from tl_keras.sources import (
    FixedBatches,
    TensorMemory,
    TrainingBatches,
    as_source,
    load_images,
)
from tl_keras.strategies import (
    cut_for,
    set_trainable,
    split_at,
    training_graph,
)
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.training import (
    Compute,
    Phase,
    PhaseBackups,
    fit_phases,
    get_variables,
)
from tl_keras.training.filling import outputs_of, sees_rows_apart
from tl_keras.training.fused_adam import FusedAdam, FusedAdamW
from tl_keras.training.steps import DeviceRows, Steps, Waiting, held_on_device
from tl_keras.training.train_step import train_step_of
from tl_keras.training.validation import ValidationSteps

TUNE = Phase("fine_tune", 3, 1e-3, unfreeze_from="two")
HELD = Compute(resident_bytes=1e9)


class Paced(Compute):
    """As on a GPU: losses are looked at after some steps."""

    looks = 3


@pytest.fixture(autouse=True)
def _same_bits():
    keras.utils.set_random_seed(0)


@pytest.fixture
def images(color_folder):
    # 18 to train and 6 to validate: partial last batches of both.
    return load_images(
        str(color_folder), image_size=16, val_fraction=0.25, test_fraction=0.01
    )


def data_of(images, **more):
    memory = TensorMemory(1.0)
    train = TrainingBatches(images.train, 5, memory=memory, **more)
    return train, FixedBatches(images.val, 4, memory)


def fitted(network, data, phases=(TUNE,), **more):
    """(weights, history) of a fit that begins from the same weights."""
    keras.utils.set_random_seed(3)
    model = build_classifier(str(network), 2)
    result = fit_phases(model, list(phases), *data, verbose=0, **more)
    return get_variables(model), result


def assert_same(one, other):
    for a, b in zip(one[0], other[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert one[1].history == other[1].history


def test_a_fit_is_kerass_own_bit_for_bit():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(22, 6)), random.integers(0, 3, 22)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(5)

    def fit(ours: bool):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((6,))
        dropped = keras.layers.Dropout(0.3)(inputs)
        model = keras.Model(inputs, keras.layers.Dense(3)(dropped))
        model.compile(
            "adam",
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=False,
        )
        if ours:
            model.train_function = Steps(model.train_step)
            model.test_function = Steps(model.test_step)
        history = model.fit(
            data, epochs=3, validation_data=data, shuffle=False, verbose=0,
            class_weight={0: 1.0, 1: 2.0, 2: 0.5},
        ).history  # fmt: skip
        return [np.array(v) for v in model.variables], history

    (one, logs), (other, same) = fit(True), fit(False)
    assert logs == same
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.int32, np.float16, ml_dtypes.bfloat16,
              np.float32]
)  # fmt: skip
@pytest.mark.parametrize("side", [4, 5])
def test_rows_come_back_bit_for_bit(dtype, side):
    shape = (7, side, side, 3)
    rows = np.random.default_rng(0).uniform(0, 255, shape).astype(dtype)
    held, places = DeviceRows(rows, "CPU:0"), [3, 0, 6]
    # Eager int32 would stay in the host's memory whatever the device.
    assert held._rows.dtype != tf.int32
    got = tf.function(held.take)(tf.constant(places, tf.int64)).numpy()
    assert got.dtype == rows.dtype
    np.testing.assert_array_equal(
        got.view(np.uint8), rows[places].view(np.uint8)
    )


@pytest.mark.parametrize("skip", [0, 2])
def test_places_are_the_batches_in_their_order(
    images, tiny_network, tmp_path, skip
):
    train, val = data_of(images)
    model = build_classifier(str(tiny_network), 2)
    trunk = split_at(model, cut_for(model, "two"))[0]
    store = FeatureStore(tmp_path)
    stored = store.training(trunk, data_of(images)[0])
    views = store.training(
        trunk, TrainingBatches(images.train, 5, augment="flip", views=3)
    )
    for data in (train, stored, views):
        for epoch in range(3):
            plain = data(epoch, skip).take(4 - skip)
            places = data(epoch, skip, places=True).take(4 - skip)
            for (x, y), (at, same) in zip(plain, places, strict=True):
                np.testing.assert_array_equal(data.rows[at.numpy()], x)
                np.testing.assert_array_equal(y, same)
    for (x, y), (at, same) in zip(val(), val(places=True), strict=True):
        np.testing.assert_array_equal(val.rows[at.numpy()], x)
        np.testing.assert_array_equal(y, same)


@pytest.mark.parametrize("kept", ["pixels", "activations"])
def test_rows_that_the_device_holds_change_no_bit(
    images, tiny_network, tmp_path, kept, monkeypatch
):
    taken = []
    real = DeviceRows.take
    monkeypatch.setattr(
        DeviceRows,
        "take",
        lambda rows, at: taken.append(rows.shape) or real(rows, at),
    )
    store = FeatureStore(tmp_path) if kept == "activations" else None
    sent = fitted(tiny_network, data_of(images), features=store)
    assert not taken
    held = fitted(tiny_network, data_of(images), features=store, compute=HELD)
    assert len(taken) == 2  # One trace each, of training and of validation.
    assert_same(sent, held)


def test_what_does_not_fit_or_changes_is_sent(images):
    train, val = data_of(images)
    size = train.rows.nbytes
    assert held_on_device(Compute(), train, val) == (None, None)
    one, none = held_on_device(Compute(resident_bytes=size), train, val)
    assert one is not None
    assert none is None
    none, one = held_on_device(Compute(resident_bytes=size - 1), train, val)
    assert none is None
    assert one is not None
    augmented, _ = data_of(images, augment="flip")
    assert augmented.rows is None
    assert held_on_device(HELD, augmented, None) == (None, None)
    given = as_source(train(0))
    assert held_on_device(HELD, given, None) == (None, None)


def test_logs_that_are_seldom_looked_at_change_no_epoch(images, tiny_network):
    often = fitted(tiny_network, data_of(images))
    seldom = fitted(tiny_network, data_of(images), compute=Paced())
    assert_same(often, seldom)


def test_logs_between_two_looks_are_the_last_ones():
    steps = Steps(lambda batch: {"loss": batch[0][0]}, looks=3)
    data = tf.data.Dataset.from_tensor_slices(
        (np.arange(5, dtype=np.float32),)
    ).batch(1)
    for _ in range(2):  # A new epoch begins with a look.
        iterator = iter(data)
        seen = [steps(iterator)["loss"] for _ in range(5)]
        assert seen == [0, 0, 0, 3, 3]


@pytest.mark.parametrize("stop_at", ["batch", "validation"])
def test_a_paced_fit_that_was_stopped_goes_on_to_the_same_bits(
    images, tiny_network, tmp_path, stop_at
):
    """The logs of a save are those of its batch, not of the last look."""
    straight = fitted(tiny_network, data_of(images), compute=Paced())
    asked = []

    class Mark(keras.callbacks.Callback):
        def on_test_batch_begin(self, batch, logs=None):
            asked.append("validation")

        def on_train_batch_end(self, batch, logs=None):
            asked.append("batch" if batch == 1 else "")

    stopped = []

    def stop():
        if not stopped and asked and asked[-1] == stop_at:
            stopped.append(True)
            return True
        return False

    saves = PhaseBackups(tmp_path / "saves", stop=stop)
    with pytest.raises(StoppedError):
        fitted(
            tiny_network, data_of(images), compute=Paced(), backups=saves,
            callbacks=[Mark()],
        )  # fmt: skip
    assert stopped
    again = fitted(
        tiny_network, data_of(images), compute=Paced(), backups=saves
    )
    assert_same(straight, again)


def test_xla_compiles_full_batches_alone(capsys):
    def step(batch):
        return {"loss": tf.reduce_sum(batch[0] ** 2)}

    data = tf.data.Dataset.range(10).map(lambda i: (tf.cast(i, tf.float32),))
    steps = Steps(step, jit=True)
    iterator = iter(data.batch(4))
    found = [float(steps(iterator)["loss"]) for _ in range(3)]
    assert found == [14.0, 126.0, 145.0]
    assert {
        jit: function._jit_compile for jit, function in steps._functions.items()
    } == {True: True, False: False}
    # Gone on with at the odd last batch, it compiles those of the next epoch.
    steps = Steps(step, jit=True, full=4)
    iterator = iter(data.batch(4).skip(2))
    assert float(steps(iterator)["loss"]) == 145.0
    assert list(steps._functions) == [False]
    assert float(steps(iter(data.batch(4)))["loss"]) == 14.0
    assert set(steps._functions) == {False, True}


@pytest.fixture
def _undetermined():
    """XLA has no deterministic pooling; a run before may have asked for it."""
    asked = determinism.is_op_determinism_enabled()
    determinism.disable_op_determinism()
    yield
    if asked:
        determinism.enable_op_determinism()


@pytest.mark.usefixtures("_undetermined")
def test_a_fit_under_xla_is_asked_for_and_told(images, tiny_network, capsys):
    data = data_of(images)
    # The head alone: XLA draws other numbers for Dropout.
    short = Phase("fine_tune", 1, 1e-2)
    with on_console():
        plain = fitted(tiny_network, data, [short])
    assert "XLA" not in capsys.readouterr().out
    jit = Compute(jit="on")
    with on_console():
        compiled = fitted(tiny_network, data, [short], compute=jit)
    assert "fine_tune: XLA on, as asked (--jit=on)" in capsys.readouterr().out
    for a, b in zip(plain[0], compiled[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


class Pretended(Compute):
    """All that a GPU gets, on the CPU."""

    def device_name(self) -> str:
        return "CPU:0"


@pytest.mark.usefixtures("plain_decoder")
def test_what_a_gpu_gets_trains_alike(images, tiny_network, tmp_path, capsys):
    more = {"compute": Pretended(device="gpu", resident_bytes=1e9)}
    plain = fitted(tiny_network, data_of(images))
    capsys.readouterr()
    with on_console():
        given = fitted(tiny_network, data_of(images), **more)
    assert (
        "fine_tune: XLA off, since compiling takes" in capsys.readouterr().out
    )
    for a, b in zip(plain[0], given[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    # It goes on to the same bits too.
    asked = []
    saves = PhaseBackups(
        tmp_path, stop=lambda: asked.append(1) or len(asked) == 7
    )
    with pytest.raises(StoppedError):
        fitted(tiny_network, data_of(images), backups=saves, **more)
    again = fitted(tiny_network, data_of(images), backups=saves, **more)
    assert_same(given, again)


def test_the_network_is_given_full_batches_alone():
    given = []

    def network(x, training):
        given.append((len(x["a"]), training))
        return tf.cast(x["a"], tf.float32) * 2 + x["b"]

    for count, full, size in ((3, 5, 5), (5, 5, 5), (7, 5, 7), (3, None, 3)):
        x = {"a": tf.range(count), "b": tf.ones(count)}
        outputs = outputs_of(network, x, training=True, full=full)
        np.testing.assert_array_equal(outputs, np.arange(count) * 2 + 1)
        assert given[-1] == (size, True)


@pytest.mark.parametrize("more", [{}, {"sam_rho": 0.05}, {"mixup": 0.2}])
def test_what_a_batch_is_filled_up_with_teaches_nothing(more):
    """To the rounding of other sums: 22 examples in batches of 5."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(22, 6, 6, 2)), random.integers(0, 3, 22)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(5)
    phase = Phase("a", 1, 1e-2, unfreeze_from="all", **more)

    def fit(full):
        keras.utils.set_random_seed(1)
        inputs = keras.Input((6, 6, 2))
        conv = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
        pooled = keras.layers.GlobalAveragePooling2D()(conv)
        model = keras.Model(inputs, keras.layers.Dense(3)(pooled))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", loss, metrics=["accuracy"], jit_compile=False)
        model.train_function = Steps(train_step_of(model, phase, 0, full))
        task = Multiclass()
        model.test_function = ValidationSteps(model, task, full=full)
        told = model.fit(
            data, epochs=3, validation_data=data, shuffle=False, verbose=0
        )
        return model.get_weights(), told.history

    (plain, history), (filled, other) = fit(None), fit(5)
    for a, b in zip(plain, filled, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert history.keys() == other.keys()
    for name, values in history.items():
        np.testing.assert_allclose(values, other[name], rtol=1e-4)


def test_batchnorm_that_trains_sees_the_rows_of_a_batch_together(tiny_network):
    model = build_classifier(str(tiny_network), 2)
    set_trainable(model, "all", train_batch_norm=True)
    assert not sees_rows_apart(training_graph(model))
    set_trainable(model, "all", train_batch_norm=False)
    assert sees_rows_apart(training_graph(model))


def test_waiting_is_the_share_of_training_spent_on_batches(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(
        "tl_keras.training.steps.time.perf_counter", lambda: clock[0]
    )

    class Slow:
        element_spec = (tf.TensorSpec([None]),)

        def __next__(self):
            clock[0] += 1.0
            return (tf.zeros([2]),)

    def step(batch):
        tf.py_function(tick, [], [])
        return {}

    def tick():
        clock[0] += 3.0

    steps = Steps(step)
    waiting = Waiting(steps)
    for epoch in range(3):
        waiting.on_epoch_begin(epoch)
        clock[0] += 100.0 if epoch == 0 else 0  # The first sets things up.
        for _ in range(2):
            steps(Slow())
        waiting.on_test_begin()
        clock[0] += 50.0  # Validation does not count.
        waiting.on_epoch_end(epoch)
    assert waiting.epochs == [(2.0, 108.0), (2.0, 8.0), (2.0, 8.0)]
    assert waiting.share() == 0.25


def test_the_wait_is_in_the_result_and_told(images, tiny_network, capsys):
    with on_console():
        _, result = fitted(tiny_network, data_of(images))
    assert 0 <= result.phases[0].waiting < 1
    assert "of its training waited for data" in capsys.readouterr().out


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(
    ("theirs", "ours", "more"),
    [
        (keras.optimizers.Adam, FusedAdam, {}),
        (keras.optimizers.AdamW, FusedAdamW, {"weight_decay": 0.1}),
    ],
)
def test_adam_in_one_kernel_is_kerass(theirs, ours, more, scaled):
    def trained(kind):
        keras.utils.set_random_seed(0)
        x = keras.Input((6,))
        y = keras.layers.Dense(3)(keras.layers.Dense(5, "relu")(x))
        model = keras.Model(x, y)
        optimizer = kind(1e-2, **more)
        if scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        model.compile(
            optimizer,
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )
        random = np.random.default_rng(0)
        model.fit(
            random.normal(size=(40, 6)), random.integers(0, 3, 40),
            batch_size=8, epochs=3, shuffle=False, verbose=0,
        )  # fmt: skip
        return [*model.variables, *optimizer.variables]

    pairs = list(zip(trained(theirs), trained(ours), strict=True))
    for one, other in pairs:
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(one),
            keras.ops.convert_to_numpy(other),
            rtol=1e-4,
            atol=1e-5,
        )


def test_on_a_gpu_adam_is_in_one_kernel():
    for name, kind in (("adam", FusedAdam), ("adamw", FusedAdamW)):
        phase = dataclasses.replace(TUNE, optimizer=name)
        assert type(phase.new_optimizer(False, fused=True)) is kind
        assert type(phase.new_optimizer(False)) is not kind


def test_the_loss_scale_of_float16_is_no_constant_of_the_graph(tiny_network):
    """Built before the first trace, as Keras then reads the variable."""

    class Rescale(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.model.optimizer.dynamic_scale.assign(2.0**5)

    def trained(callbacks):
        keras.utils.set_random_seed(2)
        model = build_classifier(
            str(tiny_network), 2, precision="mixed_float16"
        )
        assert model.get_layer("head_logits").compute_dtype == "float32"
        random = np.random.default_rng(0)
        data = tf.data.Dataset.from_tensor_slices((
            random.integers(0, 255, (8, 16, 16, 3)).astype(np.uint8),
            np.arange(8) % 2,
        )).batch(4)  # fmt: skip
        phase = Phase("p", 1, 1e-2, optimizer="sgd", unfreeze_from="two")
        fit_phases(model, [phase], data, None, callbacks=callbacks, verbose=0)
        return get_variables(model)

    for a, b in zip(trained([]), trained([Rescale()]), strict=True):
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=0.02, atol=1e-3)


def test_a_float16_fit_goes_on_to_the_same_bits(tiny_network, tmp_path):
    """The loss scale and its counter are saved too."""
    random = np.random.default_rng(0)
    data = tf.data.Dataset.from_tensor_slices((
        random.integers(0, 255, (12, 16, 16, 3)).astype(np.uint8),
        np.arange(12) % 2,
    )).batch(4)  # fmt: skip

    def fit(**more):
        keras.utils.set_random_seed(2)
        model = build_classifier(
            str(tiny_network), 2, precision="mixed_float16"
        )

        class Overflow(keras.callbacks.Callback):
            def on_train_begin(self, logs=None):
                scale = self.model.optimizer.dynamic_scale
                if not int(self.model.optimizer.iterations):
                    scale.assign(2.0**40)  # Halved until nothing overflows.

        result = fit_phases(
            model, [dataclasses.replace(TUNE, epochs=4)], data, None,
            callbacks=[Overflow()], verbose=0, **more,
        )  # fmt: skip
        return get_variables(model), result

    straight = fit()
    asked = []

    def stop():
        asked.append(1)
        return len(asked) == 6

    with pytest.raises(StoppedError):
        fit(backups=PhaseBackups(tmp_path, stop=stop))
    asked.clear()
    asked += [1] * 100
    assert_same(straight, fit(backups=PhaseBackups(tmp_path, stop=stop)))


TWO_DEVICES = """
    import sys
    import keras, numpy as np, tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    from tl_keras.networks import build_classifier
    from tl_keras.sources import FixedBatches, TensorMemory, TrainingBatches
    from tl_keras.sources import load_images
    from tl_keras.training import Compute, Phase, fit_phases

    class Second(Compute):
        def device_name(self):
            return "CPU:1"

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            own = self.model.optimizer
            places[:] = [v.value.device[-5:] for v in (
                own.iterations, self.model.variables[0], own.variables[-1]
            )]

    def fit(optimizer="adam", precision="float32", **compute):
        keras.utils.set_random_seed(1)
        memory = TensorMemory(1.0)
        with tf.device("CPU:1"):  # Where all goes that nobody places.
            model = build_classifier("letters_vgg", 10, precision=precision)
            return fit_phases(
                model,
                [Phase("p", 2, 1e-3, unfreeze_from="all", optimizer=optimizer)],
                TrainingBatches(images.train, 16, memory=memory),
                FixedBatches(images.val, 16, memory),
                compute=Second(**compute), callbacks=[Look()], verbose=0,
            ).history[-1]["val_loss"]

    places = []
    images = load_images(
        "digits", image_size=8, train_examples_per_class=4,
        val_examples_per_class=2,
    )
    plain = fit()
    gpu = {"device": "gpu", "resident_bytes": 1e9}
    for asked in (
        {}, {"optimizer": "adamw"}, {"precision": "mixed_float16"},
        {"jit": "on"},
    ):
        loss = fit(**gpu, **asked)
        assert abs(loss - plain) < 0.01, (asked, loss, plain)
        expected = ["CPU:0", "CPU:1", "CPU:1"]
        if "jit" in asked:  # XLA takes no variable of another device.
            expected[0] = "CPU:1"
        assert places == expected, (asked, places)
    print("done")
"""


@pytest.mark.nightly  # Devices are set up once a process.
def test_host_and_device_share_a_step():
    """A second CPU device stands in for the GPU."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TWO_DEVICES)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.endswith("done\n"), done.stderr[-2000:]
