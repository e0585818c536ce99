"""final_fit: validation's labels teach the kept head, and nothing leaks."""

import dataclasses
import types

import numpy as np
import pytest
import tiny

from tl_keras.data.examples import Examples
from tl_keras.errors import ConfigError, DataError, DivergedError
from tl_keras.jobs import judging, run
from tl_keras.jobs.final_fit import is_sure, is_wanted, solve_on_all
from tl_keras.jobs.judging import evaluate_phases
from tl_keras.jobs.preparation import prepare
from tl_keras.jobs.training import feature_store, train
from tl_keras.networks import LOGITS
from tl_keras.run_card.kept_words import kept
from tl_keras.runs import RunFolder
from tl_keras.sources import LabelledExamples
from tl_keras.tasks.multiclass import solve_probe
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.tasks.multilabel.task import Multilabel
from tl_keras.tasks.outputs import raw_outputs
from tl_keras.training.solving import pooled_features

pytestmark = pytest.mark.usefixtures("plain_decoder")
SOLVED = {"dropout": 0.0, "fine_tune_epochs": 2}
SURELY = {"better_by": 0.1, "p_value": 0.01}


@pytest.fixture(scope="module")
def colors(tmp_path_factory):
    return tiny.write_colors(tmp_path_factory.mktemp("colors"), 20)


@pytest.fixture
def fitted(colors, tiny_network, tmp_path):
    """A run's preparation and what its phases gave, and the store."""
    config = tiny.config(
        colors, tiny_network, tmp_path / "out", **SOLVED,
        feature_cache=str(tmp_path / "features"),
    )  # fmt: skip
    prepared = prepare(config)
    store = feature_store(config)
    folder = RunFolder.of(config.run_folder())
    folder.path.mkdir(parents=True)
    return prepared, train(prepared, folder, store), store


def test_the_kept_head_is_that_of_all_labels(fitted):
    """To the bit what `solve_probe` makes of their features; none is read."""
    prepared, fit, store = fitted
    fit = dataclasses.replace(fit, kept=0)
    before, computed = fit.phases[0].best_variables, store.examples_computed
    final = solve_on_all(prepared, fit, store)
    assert store.examples_computed == computed
    images = prepared.labelled
    parts = [
        pooled_features(prepared.model, split.batches(8))
        for split in (images.train, images.val)
    ]
    features, labels = map(np.concatenate, zip(*parts, strict=True))
    probe = solve_probe(features, labels)
    layer = prepared.model.get_layer(LOGITS)
    np.testing.assert_allclose(layer.kernel, probe.kernel, atol=1e-4)
    np.testing.assert_array_equal(final.targets, labels)
    np.testing.assert_allclose(
        np.exp(final.outputs), probe.out_of_fold, atol=1e-4
    )
    # What is exported later, and asked of the test split, are these weights.
    (test, *_) = evaluate_phases(prepared, final.fit, store)
    logits = pooled_features(prepared.model, images.test.batches(8))[0]
    want = (logits @ probe.kernel + probe.bias).argmax(axis=-1)
    np.testing.assert_array_equal(test.answers.argmax(axis=-1), want)
    changed = [
        not np.array_equal(a, b)
        for a, b in zip(before, final.fit.phases[0].best_variables, strict=True)
    ]
    assert sum(changed) == 2  # Kernel and bias; the given fit is as it was.


def test_a_test_picture_without_a_number_is_named(fitted, monkeypatch):
    prepared, fit, store = fitted

    def asked(model, batches):
        outputs, targets = raw_outputs(model, batches)
        outputs[2, 1] = np.nan
        return outputs, targets

    monkeypatch.setattr(judging, "raw_outputs", asked)
    which = prepared.labelled.test.examples.ids[2]
    with pytest.raises(DivergedError) as caught:
        evaluate_phases(prepared, fit, store)
    count = len(prepared.labelled.test)
    assert str(caught.value).startswith(
        f"phase head: the model's answers to 1 of {count} test pictures "
        f"({which}) are not finite; "
    )


def test_a_fine_tune_that_is_surely_better_stays(fitted):
    prepared, fit, store = fitted
    tuned = dataclasses.replace(fit.phases[1], share=1.0, gain=SURELY)
    fit = dataclasses.replace(fit, phases=[fit.phases[0], tuned], kept=1)
    assert solve_on_all(prepared, fit, store).fit is fit
    unsure = dataclasses.replace(tuned, gain=SURELY | {"p_value": 0.2})
    fit = dataclasses.replace(fit, phases=[fit.phases[0], unsure])
    assert solve_on_all(prepared, fit, store).fit.kept == 0


def test_sure_is_better_by_more_than_chance():
    assert is_sure(SURELY)
    assert not is_sure(SURELY | {"p_value": 0.06})
    assert not is_sure({"better_by": -0.1, "p_value": 0.01})
    assert not is_sure(None)


@pytest.mark.parametrize(
    ("asked", "own", "solver", "count", "wanted"),
    [
        (None, (), "lbfgs", 4, True),
        (None, ("val",), "lbfgs", 4, False),
        (None, ("test",), "lbfgs", 4, True),
        (True, ("val",), "lbfgs", 4, True),
        (False, (), "lbfgs", 4, False),
        (None, (), "adam", 4, False),
        (None, (), "lbfgs", 0, False),
    ],
)
def test_labels_that_people_brought_apart_stay_apart(
    asked, own, solver, count, wanted
):
    named = types.SimpleNamespace
    val = LabelledExamples(
        Examples(("1",) * count, np.zeros(count, np.int32), encoded=()), None
    )
    prepared = named(
        config=named(train_on_all=asked, test_time_views=False),
        labelled=named(val=val, own_splits=own),
        phases=[named(solver=solver)],
        task=Multiclass(),
    )
    assert is_wanted(prepared) is wanted
    # What the folds say of several labels is no logit of a class.
    prepared.task = Multilabel()
    assert not is_wanted(prepared)


def test_a_run_says_so(colors, tiny_network, tmp_path):
    """In metrics.json and on the page; the same command changes nothing."""
    config = tiny.config(
        colors, tiny_network, tmp_path / "out", dropout=0.0, fine_tune_epochs=0
    )
    metrics = run(config, stages=tiny.QUICK).metrics
    assert metrics["solved_on_all"] == {
        "examples": 30, "validation_examples": 10,
    }  # fmt: skip
    assert metrics["temperature"] == {"value": 1.0, "examples": 30}
    said = kept(metrics)
    assert "once more on all 30 labels, the 10 of validation too" in said


def test_what_can_do_nothing_is_refused(colors, tiny_network, tmp_path):
    asked = tiny.config(
        colors, tiny_network, tmp_path / "out", train_on_all=True
    )
    with pytest.raises(ConfigError, match="expected a head that is solved"):
        prepare(asked)  # Dropout needs epochs.
    none = dataclasses.replace(asked, dropout=0.0, val_fraction=0.0)
    with pytest.raises(DataError, match="nothing to validate on"):
        prepare(none)
