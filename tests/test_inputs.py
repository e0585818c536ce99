"""inputs: the house works for a kind of input that it has never heard of.

Examples here are texts such as b"0.5 1 -2 3|2": four numbers and the number of
a kind. The model has two inputs, one of them whole numbers.
"""

import dataclasses
from typing import ClassVar

import keras
import numpy as np
import pytest
import tensorflow as tf

from tl_keras.data.examples import Examples
from tl_keras.exports import publish
from tl_keras.features import FeatureStore
from tl_keras.inputs.input import Input
from tl_keras.inputs.kinds import kind_named, nouns
from tl_keras.networks.building import with_head
from tl_keras.sources import (
    FixedBatches,
    LabelledExamples,
    TensorMemory,
    TrainingBatches,
)
from tl_keras.training import Phase, fit_phases

NAMES = ["low", "high"]
NUMBERS, KINDS = 4, 3


@dataclasses.dataclass(frozen=True)
class Measured(Input):
    """Numbers and a kind, out of a line of text."""

    unit: float = 1.0

    serving_name: ClassVar[str] = "line"
    loaded_signature: ClassVar[str] = "numbers"
    example_key: ClassVar[str] = "line"
    damaged: ClassVar[bytes] = b"four numbers"
    augments: ClassVar[tuple[str, ...]] = ("none", "noise")

    @property
    def specs(self):
        return {
            "kind": tf.TensorSpec((), tf.int32),
            "numbers": tf.TensorSpec((NUMBERS,), tf.float32),
        }

    @property
    def served_specs(self):
        return {
            "kind": tf.TensorSpec((None,), tf.int32, name="kind"),
            "numbers": tf.TensorSpec(
                (None, NUMBERS), tf.float32, name="numbers"
            ),
        }

    def load(self, encoded):
        numbers, kind = tf.unstack(tf.strings.split(encoded, "|"), num=2)
        numbers = tf.strings.to_number(tf.strings.split(numbers))
        return {
            "kind": tf.strings.to_number(kind, tf.int32),
            "numbers": tf.ensure_shape(numbers * self.unit, (NUMBERS,)),
        }

    def load_rows(self, encoded):
        number = r"-?\d+(\.\d+)?"
        line = rf"({number} ){{{NUMBERS - 1}}}{number}\|[0-{KINDS - 1}]"
        fine = tf.strings.regex_full_match(encoded, line)
        blank = " ".join("0" * NUMBERS) + "|0"
        tensors = tf.map_fn(
            self.load,
            tf.where(fine, encoded, blank),
            fn_output_signature=self.specs,
        )
        return tensors, tf.where(fine, "", "no line of numbers")

    def augment(self, tensors, key, augment):
        shift = tf.random.stateless_normal((NUMBERS,), key)
        return tensors | {"numbers": tensors["numbers"] + shift}

    def describe(self):
        return f"lines in units of {self.unit}"

    def sample(self):
        return b"1 2 3 4|0"

    def probe(self):
        return {"a large one": b"100 -100 50 2.5|2"}

    def peak_bytes(self):
        return 1000


@pytest.fixture(scope="module")
def images() -> LabelledExamples:
    """Whose sum, with the kind's own shift, is high or low."""
    draw = np.random.default_rng(0)
    numbers = draw.normal(size=(60, NUMBERS)).round(2)
    kinds = draw.integers(KINDS, size=60)
    labels = (numbers.sum(-1) + kinds > 1).astype(np.int32)
    encoded = tuple(
        f"{' '.join(map(str, row))}|{kind}".encode()
        for row, kind in zip(numbers.tolist(), kinds, strict=True)
    )
    ids = tuple(map(str, range(60)))
    return LabelledExamples(Examples(ids, labels, encoded=encoded), Measured())


@pytest.fixture
def model() -> keras.Model:
    """Two inputs, a trunk to be frozen, and the house's head."""
    keras.utils.set_random_seed(0)
    kind = keras.Input((), name="kind", dtype="int32")
    numbers = keras.Input((NUMBERS,), name="numbers")
    embedded = keras.layers.Embedding(KINDS, 3, name="embedding")(kind)
    both = keras.layers.Concatenate(name="both")([embedded, numbers])
    hidden = keras.layers.Dense(16, activation="tanh", name="trunk")(both)
    features = keras.layers.Dense(8, activation="tanh", name="top")(hidden)
    network = keras.Model({"kind": kind, "numbers": numbers}, features)
    return with_head(network, 2)


def test_an_epoch_is_of_the_examples_as_they_are_loaded(images):
    (batch, labels), *rest = images.batches(32)
    assert len(rest) == 1
    assert batch["numbers"].shape == (32, NUMBERS)
    first = images.examples.encoded[0].decode()
    numbers, kind = first.split("|")
    want = np.float32(list(map(float, numbers.split())))
    np.testing.assert_array_equal(batch["numbers"][0], want)
    assert batch["kind"][0] == int(kind)
    np.testing.assert_array_equal(labels, images.labels[:32])


@pytest.mark.parametrize("augment", ["none", "noise"])
def test_memory_holds_all_tensors(images, augment):
    """Of several inputs, the batches are those that are read each time."""
    plain = TrainingBatches(images, 16, seed=3, augment=augment)
    held = dataclasses.replace(plain, memory=TensorMemory(1.0))
    for (a, x), (b, y) in zip(plain(2), held(2), strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, a, b)
        np.testing.assert_array_equal(x, y)
    assert images.decoded_bytes() == 60 * 4 * (NUMBERS + 1)
    assert held.rows is None  # There is no one array to take them from.


def test_an_augmentation_of_another_kind_is_refused(images):
    with pytest.raises(ValueError, match="expected one of none, noise"):
        images.shuffled(8, augment="flip")


def test_what_is_frozen_is_computed_once(images, model, tmp_path):
    """Stored, trained on, and the same as without a store."""
    store = FeatureStore(tmp_path)
    phases = [Phase("head", epochs=3, learning_rate=0.05)]
    val = images.take(range(20))
    data = TrainingBatches(images, 16, seed=1), FixedBatches(val, 16)
    start = model.get_weights()
    stored = fit_phases(model, phases, *data, features=store)
    assert store.examples_computed == 60  # The 20 are among them.
    of_store = model.get_weights()
    model.set_weights(start)
    plain = fit_phases(model, phases, *data)
    for a, b in zip(of_store, model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    losses = [row["loss"] for row in stored.history]
    np.testing.assert_allclose(
        losses, [row["loss"] for row in plain.history], rtol=1e-4
    )
    other = dataclasses.replace(images, decoding=Measured(unit=2.0))
    store.training(model, TrainingBatches(other, 16))
    assert store.examples_computed == 120  # Loaded otherwise: not the same.


@pytest.mark.usefixtures("plain_decoder")
def test_a_fit_on_all_layers_learns_it(images, model):
    phases = [Phase("all", 30, 0.02, unfreeze_from="all")]
    fit_phases(model, phases, TrainingBatches(images, 16, seed=1))
    (batch, labels), *_ = images.batches(60)
    logits = model.predict(batch, verbose=0)
    assert (logits.argmax(-1) == labels.numpy()).mean() > 0.9


def test_the_export_takes_its_bytes(images, model, tmp_path):
    """Verified by the gate, and asked: a bad row does not fail its batch."""
    golden = dict(zip("abc", images.examples.encoded[:3], strict=True))
    folder = publish(
        model, tmp_path, class_names=NAMES, golden=golden,
        decoding=images.decoding,
    ).folder  # fmt: skip
    loaded = tf.saved_model.load(folder)
    lines = [*golden.values(), b"1 2 3|0"]
    answer = loaded.signatures["serving_default"](line=tf.constant(lines))
    assert [s.decode() for s in answer["status"].numpy()] == [
        "", "", "", "no line of numbers",
    ]  # fmt: skip
    (batch, _), *_ = images.batches(3)
    want = keras.ops.softmax(model(batch))
    np.testing.assert_allclose(answer["probabilities"][:3], want, atol=1e-5)
    assert not answer["probabilities"][3].numpy().any()
    of_numbers = loaded.signatures["numbers"](**batch)
    np.testing.assert_allclose(of_numbers["probabilities"], want, atol=1e-5)


def test_an_export_that_reads_otherwise_is_not_published(
    images, model, tmp_path, monkeypatch
):
    """The gate holds for a kind of one's own: here the graph reads cents."""
    from tl_keras.errors import NotPublishedError

    golden = dict(zip("abc", images.examples.encoded[:3], strict=True))
    right = Measured.load_rows
    monkeypatch.setattr(
        Measured,
        "load_rows",
        lambda self, encoded: right(Measured(unit=1.01), encoded),
    )
    with pytest.raises(NotPublishedError, match="differs from the model by"):
        publish(
            model, tmp_path, class_names=NAMES, golden=golden,
            decoding=images.decoding,
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "one", "many"),
    [("image", "picture", "pictures"), ("text", "text", "texts")],
)
def test_a_kind_knows_what_its_examples_are_called(name, one, many):
    kind = kind_named(name)
    assert (kind.one, kind.many) == (one, many)
    assert nouns(name) == (one, many)
