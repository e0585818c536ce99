"""gate: what is another function is refused on any device, and no rounding.

Faults are planted on one side of the comparison, in a graph, in weights or in
names, and everything else is left alike. Devices that round are emulated
(`rounding_devices`); the loaders' fresh processes are in test_exports.
"""

import dataclasses

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from conftest import CHECKOUT  # noqa: F401 (sets TensorFlow's surroundings)
from rounding_devices import (
    InProcess,
    RoundingExport,
    RoundingReference,
    rounding,
)

from tl_keras.errors import NotPublishedError
from tl_keras.exports import Evaluated, gate, reference, saved_model
from tl_keras.exports import rounding as device_rounding
from tl_keras.exports.float32 import in_float32, rounds_inside
from tl_keras.exports.graph import parse_graph
from tl_keras.exports.movement import STILL, measure, rounding_inside
from tl_keras.exports.questions import Questions
from tl_keras.exports.reference import OnCpu, Reference
from tl_keras.exports.rounding import movement_of
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.networks import build_classifier, inference, with_head
from tl_keras.tasks.multiclass.differs import ClassDiffers, differences
from tl_keras.tasks.multiclass.task import Multiclass

NAMES = ["apple", "pear", "plum"]
SIZE = 16
# Name -> precision of the model, bits that the device keeps of what it
# multiplies (None: all), and whether the CPU keeps no more.
ARITHMETIC = {
    "float32": ("float32", None, False),
    "TF32": ("float32", 10, False),
    "bfloat16 products": ("float32", 7, False),
    "mixed_bfloat16": ("mixed_bfloat16", None, False),
    "mixed_float16": ("mixed_float16", None, False),
    "TF32 everywhere": ("float32", 10, True),
    "bfloat16 everywhere": ("float32", 7, True),
}


def picture(seed: int) -> bytes:
    """Coloured patches, larger than the model's square."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (5, 6, 3)).astype(np.float32)
    large = tf.image.resize(small, (45 + seed, 38), "bicubic")
    large = tf.cast(tf.clip_by_value(large, 0, 255), tf.uint8)
    return tf.io.encode_png(large).numpy()


PICTURES = [picture(seed) for seed in range(12)]
IDS = [f"{number}.png" for number in range(12)]
GOLDEN = dict(zip(IDS[:2], PICTURES[:2], strict=True))
DECODING = Decoding(SIZE)


def build(precision: str) -> keras.Model:
    """A network with BatchNorm whose answers lie far apart."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    for number, width in enumerate((8, 16)):
        x = keras.layers.Conv2D(width, 3, padding="same", name=f"c{number}")(x)
        x = keras.layers.BatchNormalization(name=f"n{number}")(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling2D()(x)
    network = keras.Model(inputs, x, name="patches")
    model = build_classifier(network, 3, precision=precision)
    random = np.random.default_rng(5)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [
                    gamma, beta + random.normal(0, 0.2, beta.shape),
                    mean + random.normal(0, 0.2, mean.shape),
                    variance * random.uniform(0.1, 0.6, variance.shape),
                ]
            )  # fmt: skip
    # Some pictures of each class, and few that are sure.
    head = model.get_layer("head_logits")
    logits = inference(model)(pixels())
    head.kernel.assign(head.kernel * 2 / logits.std(axis=0))
    head.bias.assign(-inference(model)(pixels()).mean(axis=0))
    return model


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Precision -> (its model, an export of it), each made once."""
    made: dict = {}

    def export_of(precision):
        if precision not in made:
            model = build(precision)
            folder = tmp_path_factory.mktemp("export") / "1"
            saved_model.write(model, folder, NAMES, DECODING)
            made[precision] = model, folder
        return made[precision]

    return export_of


@pytest.fixture(scope="module")
def loaders():
    """Arithmetic -> loaders on such a device."""
    return {
        name: InProcess(bits, everywhere)
        for name, (_, bits, everywhere) in ARITHMETIC.items()
    }


@pytest.fixture(params=ARITHMETIC)
def asked(request, exports, loaders, monkeypatch):
    """A function that puts an export to the gate; changes may be planted."""
    precision, bits, everywhere = ARITHMETIC[request.param]
    model, folder = exports(precision)
    if bits is not None:
        kind = type(
            "Emulated", (RoundingReference,),
            {"bits": bits, "everywhere": everywhere},
        )  # fmt: skip
        monkeypatch.setattr(gate, "Reference", kind)

    def ask(names=NAMES, decoding=DECODING, evaluated=None, golden=GOLDEN):
        return gate.check_export(
            folder, model, names, decoding, golden, Multiclass(),
            evaluated, loaders=loaders[request.param],
        )  # fmt: skip

    ask.model, ask.folder, ask.bits = model, folder, bits
    ask.everywhere, ask.patch = everywhere, monkeypatch
    return ask


def pixels(encoded=PICTURES) -> np.ndarray:
    """As training decodes them."""
    rows = [DECODING.load(tf.constant(one)) for one in encoded]
    return np.stack(rows).astype(np.float32)


def evaluation_of(asked, encoded=PICTURES) -> Evaluated:
    """By other kernels than the export's: they cut off instead of rounding."""
    plain = Reference(asked.model)
    if asked.bits is None:
        found = plain.here(pixels(encoded))
    else:
        cut = rounding(plain._graph, asked.bits, nearest=False)
        found = OnCpu(plain._run, cut)(pixels(encoded))
    return Evaluated(IDS, encoded.__getitem__, found["probabilities"])


@pytest.mark.parametrize("bits", [10, 7])
def test_how_far_a_device_moves_an_earlier_version_is_measured(
    exports, monkeypatch, bits
):
    """In TF32, and coarser: `test_acceptance` has what is made of it."""
    _, folder = exports("float32")
    graph = parse_graph(folder)
    exact = RoundingExport(folder, None).probabilities(PICTURES)
    here = RoundingExport(folder, bits).probabilities(PICTURES)
    monkeypatch.setattr(device_rounding, "computes_exactly", lambda _: False)
    monkeypatch.setattr(device_rounding, "ask_exactly", lambda *_: exact)
    differs = ClassDiffers(NAMES)
    moved = movement_of(graph, folder, PICTURES, here, differs)
    apart = np.abs(np.log(here) - np.log(exact)).max()
    assert moved == pytest.approx(apart, rel=1e-3)
    assert 2.0**-bits / 100 < moved < 2.0**-bits * 100
    monkeypatch.undo()
    assert movement_of(graph, folder, PICTURES, here, differs) == 0.0


def test_an_export_that_equals_its_model_is_published(asked):
    evaluated = evaluation_of(asked)
    passed = asked(evaluated=evaluated)
    exact = Reference(asked.model).exact(pixels())["probabilities"]
    # The pictures are not all of one class, and not of none.
    assert 0.5 < exact.max(axis=-1).mean() < 0.99
    assert len(set(exact.argmax(axis=-1))) == 3
    if not asked.everywhere:
        assert passed.difference <= 1e-5
    assert passed.answers.shape == (12, 3)
    found = passed.split
    moved = np.abs(passed.answers - evaluated.answers).max()
    assert found.largest_difference == pytest.approx(float(moved))
    rounds = asked.bits or rounds_inside(Reference(asked.model)._graph)
    # What was refused before: more than 1e-5, and nobody's fault.
    if asked.bits:
        assert found.largest_difference > 1e-5
    if rounds and not asked.everywhere:
        assert found.movement > 1e-5


def weights_of(layer: str, place: int, change):
    """A model's array that is changed after it was exported."""

    def plant(asked):
        values = asked.model.get_layer(layer).get_weights()
        kept = [value.copy() for value in values]
        values[place] = change(values[place])
        asked.model.get_layer(layer).set_weights(values)
        return lambda: asked.model.get_layer(layer).set_weights(kept)

    return plant


def function_of(change):
    """A graph that differs: pixels and the right function -> answers."""

    def plant(asked):
        real = reference.answering_model

        def faulty(model, *task):
            answering = real(model, *task)
            return lambda batch, training: change(
                lambda x: answering(x, training=training), batch
            )

        asked.patch.setattr(reference, "answering_model", faulty)
        return lambda: None

    return plant


def answers_changed(change):
    """The same of probabilities alone."""
    return function_of(
        lambda f, x: (
            lambda found: (
                found | {"probabilities": change(found["probabilities"])}
            )
        )(f(x))
    )


def bias(value):
    return value + np.array([0, 1e-3, 0], np.float32)


WEIGHTS = {
    "temperature not folded": weights_of("head_logits", 0, lambda v: v / 1.02),
    "weights of another phase": weights_of("c1", 0, lambda v: v * 1.001),
    "stale BatchNorm": weights_of("n0", 2, lambda v: v + np.float32(1e-3)),
    "a bias off by 1e-3": weights_of("head_logits", 1, bias),
    "one bit": weights_of(
        "c0", 0, lambda v: np.where(v == v.max(), np.nextafter(v, 9), v)
    ),
}
GRAPHS = {
    "BGR": function_of(lambda f, x: f(x[..., ::-1])),
    "scaling left out": function_of(lambda f, x: f(127.5 * (x + 1))),
    "softmax twice": answers_changed(tf.nn.softmax),
    "temperature again": answers_changed(
        lambda p: tf.nn.softmax(tf.math.log(p) / 1.02)
    ),
    "last dimension permuted": answers_changed(lambda p: p[:, ::-1]),
    "one logit off by 1e-3": answers_changed(
        lambda p: tf.nn.softmax(tf.math.log(p) + tf.constant([0, 1e-3, 0]))
    ),
}


@pytest.mark.parametrize("fault", WEIGHTS)
def test_stored_weights_that_differ_are_refused(fault, asked):
    restore = WEIGHTS[fault](asked)
    try:
        with pytest.raises(NotPublishedError, match=r"variable .* is stored"):
            asked()
    finally:
        restore()


@pytest.mark.parametrize("fault", GRAPHS)
def test_another_function_is_refused(fault, asked):
    if asked.everywhere and "1e-3" in fault:
        pytest.skip(
            "where nothing is exact, only stored weights show so little"
        )
    GRAPHS[fault](asked)
    with pytest.raises(NotPublishedError, match="differs from the model by"):
        asked()


class Jagged(Decoding):
    """The middle square, as it should be, but without antialiasing."""

    def load(self, encoded):
        whole = tf.io.decode_png(encoded, channels=3)
        side = min(whole.shape[:2])
        top, left = ((length - side) // 2 for length in whole.shape[:2])
        square = whole[top : top + side, left : left + side]
        small = tf.image.resize(square, (SIZE, SIZE))
        return tf.cast(tf.round(small), tf.uint8)


@pytest.mark.parametrize(
    "other", [Decoding(SIZE, resize="squash"), Jagged(SIZE)]
)
def test_another_resize_is_refused(other, asked):
    class Resized(Questions):
        """Only the model in memory sees pictures of the other resize."""

        def write(self, *places):
            mine = self.tensors
            loaded = [DECODING.load(tf.constant(x)) for x in self._encoded]
            self.tensors = np.stack(loaded).astype(np.float32)
            super().write(*places)
            self.tensors = mine

    asked.patch.setattr(gate, "Questions", Resized)
    with pytest.raises(NotPublishedError, match="differs from the model by"):
        asked(decoding=other)


def test_swapped_labels_are_refused(asked):
    swapped = ["apple", "plum", "pear"]
    with pytest.raises(NotPublishedError, match=r"labels\.txt does not name"):
        asked(names=swapped)
    labels = asked.folder / "assets.extra" / "labels.txt"
    kept = labels.read_text()
    labels.write_text("apple\nplum\npear\n")
    try:
        with pytest.raises(NotPublishedError, match="in another order"):
            asked(names=swapped)
    finally:
        labels.write_text(kept)


def test_a_picture_that_is_decoded_otherwise_is_refused(asked):
    """One of the split, which no golden picture is like: by asking again."""
    evaluated = evaluation_of(asked)
    other = picture(99)
    encoded = [*PICTURES[:7], other, *PICTURES[8:]]
    with pytest.raises(NotPublishedError) as told:
        asked(evaluated=Evaluated(IDS, encoded.__getitem__, evaluated.answers))
    # The export reads it as training would; it was evaluated as another.
    assert "differs from the evaluation by" in str(told.value)
    assert "for 7.png (" in str(told.value)
    assert "far beyond the" in str(told.value)


class Odd(Decoding):
    """Takes the colours of one picture in another order."""

    def load(self, encoded):
        right = super().load(encoded)
        turned = tf.cast(encoded == PICTURES[7], right.dtype)
        return turned * right[..., ::-1] + (1 - turned) * right


def test_a_fault_in_one_picture_of_a_split_is_found(asked):
    """No golden picture has it; what differs most is asked again exactly."""
    found = evaluation_of(asked).answers.copy()
    turned = pixels()[7:8, ..., ::-1]
    found[7] = Reference(asked.model).exact(turned)["probabilities"][0]
    evaluated = Evaluated(IDS, PICTURES.__getitem__, found)
    with pytest.raises(NotPublishedError, match=r"for example 7\.png; allowed"):
        asked(evaluated=evaluated, decoding=Odd(SIZE))


def test_classes_that_rounding_changes_are_counted_and_named(
    exports, loaders, monkeypatch
):
    """Two classes all but alike: bfloat16 puts the other first in some."""
    model, _ = exports("float32")
    found = Reference(model).here(pixels())["probabilities"]
    served = found.copy()
    row = 4
    first, second = np.argsort(-found[row])[:2]
    tie = found[row, [first, second]].mean()
    found[row, [first, second]] = tie + 1e-5, tie - 1e-5
    served[row, [first, second]] = tie - 1e-5, tie + 1e-5
    evaluated = Evaluated(IDS, PICTURES.__getitem__, found)
    split = gate.Split(evaluated, served, ClassDiffers(NAMES), "it")
    here = dataclasses.replace(STILL, here=1e-3)
    rounding = split.report(gate.SAVED_MODEL, here)
    assert rounding.refusal == ""
    assert rounding.changed == (("4.png", NAMES[first], NAMES[second]),)
    numbers = rounding.numbers()
    assert numbers["changed"] == 1
    assert numbers["changed_pictures"] == [
        {"id": "4.png", "evaluation": NAMES[first], "export": NAMES[second]}
    ]
    assert numbers["largest_difference"] == pytest.approx(2e-5, rel=0.01)


def test_a_bias_at_high_probability_shows_in_the_logits():
    """What moves a probability by 1e-5 moves a logit by 1e-3."""
    logits = np.array([[6.0, 1.0, 0.5], [6.001, 1.0, 0.5]])
    sure, moved = np.split(scipy.special.softmax(logits, axis=-1), 2)
    assert np.abs(sure - moved).max() < 1.1e-5
    assert differences(moved, sure)[0] > 1e-4


def test_nan_is_a_difference():
    want = np.full((2, 3), 1 / 3)
    found = want.copy()
    found[1, 0] = np.nan
    assert differences(found, want).tolist() == [0.0, np.inf]


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_in_float32_it_is_the_float32_networks_function(precision):
    """To the last bit, though its own answers are rounded."""
    model, plain = build(precision), build("float32")
    plain.set_weights(model.get_weights())
    half = Reference(model)
    assert rounds_inside(half._graph)
    assert not rounds_inside(in_float32(half._graph))
    want = Reference(plain).exact(pixels())["probabilities"]
    assert differences(half.exact(pixels())["probabilities"], want).max() < 1e-6
    assert differences(half.here(pixels())["probabilities"], want).max() > 1e-4


@pytest.mark.parametrize("bits", [23, 10, 7])
def test_rounding_inside_is_found_by_how_answers_move(bits, exports):
    """Of about the size that it has, without anybody's knowing of it."""
    model, _ = exports("float32")
    plain = Reference(model)
    kind = type("E", (RoundingReference,), {"bits": bits, "everywhere": True})
    emulated = kind(model) if bits < 23 else plain
    found = rounding_inside(emulated, pixels(), ClassDiffers(NAMES))
    true = differences(
        emulated.exact(pixels())["probabilities"],
        plain.exact(pixels())["probabilities"],
    ).max()
    if bits == 23:
        assert found == STILL
    else:
        assert true / 4 < found.here < 4 * true
        assert 0 < found.exact <= found.here / 4


def test_weights_are_moved_where_inputs_are_whole_numbers():
    """Of token ids, none is a little more; a model of theirs rounds too."""
    ids = keras.Input((4,), dtype="int32")
    found = keras.layers.Embedding(10, 8)(ids)
    found = keras.layers.GlobalAveragePooling1D()(found)
    model = with_head(keras.Model(ids, found), 3)
    before = model.get_weights()
    asked = Reference(model)
    batch = np.random.default_rng(0).integers(0, 10, (3, 4), np.int32)
    movement = measure(asked, batch, ClassDiffers(NAMES))
    # A unit or some of float32, and far below what is another function.
    assert 1e-9 < movement.exact < 1e-5
    exact, beside = asked.exact(batch), asked.rounded_otherwise(batch)
    assert (exact["probabilities"] != beside["probabilities"]).any()
    for one, two in zip(before, model.get_weights(), strict=True):
        assert (one == two).all()


def test_the_drawn_picture_shows_what_data_may_not():
    (encoded,) = DECODING.probe().values()
    whole = tf.io.decode_png(encoded).numpy()
    assert whole.shape == (27, 37, 3)
    assert np.abs(whole[..., 0].astype(int) - whole[..., 2]).mean() > 50
    assert Decoding(SIZE, max_pixels=900).probe() == {}
