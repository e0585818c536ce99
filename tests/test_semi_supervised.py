"""semi_supervised: label spreading, self-training, and whether they help."""

import numpy as np
import pytest
import scipy.special
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelSpreading

from tl_keras.semi_supervised import (
    MulticlassWithUnlabelled,
    compare,
    most_unlabelled,
    neighbour_graph,
    solve_with_unlabelled,
    spread_labels,
)
from tl_keras.tasks.multiclass import solve_probe


def clouds(a_class: int, classes: int = 2, width: int = 60, seed: int = 0):
    """Round clouds, each a class, as far apart as few labels hardly show."""
    random = np.random.default_rng(seed)
    labels = np.arange(a_class * classes) % classes
    middles = np.random.default_rng(9).normal(size=(classes, width))
    rows = 0.35 * middles[labels] + random.normal(size=(len(labels), width))
    return rows.astype(np.float32), labels


@pytest.mark.parametrize("neighbours", [3, 10, 500])
def test_the_graph_joins_the_nearest_by_cosine(neighbours):
    rows, _ = clouds(25)
    graph = neighbour_graph(rows, neighbours).toarray()
    centred = rows - rows.mean(axis=0)
    near = min(neighbours, len(rows) - 1)
    search = NearestNeighbors(n_neighbors=near, metric="cosine").fit(centred)
    far, places = search.kneighbors()
    expected = np.zeros_like(graph)
    expected[np.arange(len(rows))[:, None], places] = (
        np.maximum(1 - far, 0) ** 3
    )
    expected = np.maximum(expected, expected.T)
    np.testing.assert_allclose(graph, expected, atol=1e-5)
    assert not np.diag(graph).any()


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("alpha", [0.2, 0.8])
def test_spreading_is_scikit_learns(classes, alpha):
    rows, labels = clouds(30, classes)
    known = np.where(np.arange(len(rows)) < 3 * classes, labels, -1)
    graph = neighbour_graph(rows, 5)
    received = spread_labels(graph, known, classes, alpha)
    reference = LabelSpreading(
        kernel=lambda *_: graph.toarray(),
        alpha=alpha,
        max_iter=1000,
        tol=1e-9,
    ).fit(rows, known)
    np.testing.assert_allclose(
        received, reference.label_distributions_, atol=1e-5
    )


def test_where_no_label_comes_to_all_classes_are_alike():
    rows = np.repeat(np.eye(4), 5, axis=0)
    known = np.full(20, -1)
    known[[0, 5]] = [0, 1]
    likely = spread_labels(neighbour_graph(rows, 3), known, 2)
    np.testing.assert_allclose(likely[:5], np.tile([1, 0], (5, 1)), atol=1e-9)
    np.testing.assert_allclose(likely[10:], 0.5)


def accuracy(head, rows, labels) -> float:
    return float((head.outputs(rows).argmax(axis=-1) == labels).mean())


def test_examples_without_labels_make_a_few_labels_worth_more():
    rows, labels = clouds(200)
    more, _ = clouds(150, seed=1)
    test, truth = clouds(300, seed=2)
    alone, both = [], []
    for first in range(0, 36, 12):
        some = slice(first, first + 12)
        head = solve_with_unlabelled(rows[some], labels[some], more)
        both.append(accuracy(head, test, truth))
        alone.append(
            accuracy(solve_probe(rows[some], labels[some]), test, truth)
        )
    assert np.mean(both) > np.mean(alone) + 0.02
    assert compare(rows[:12], labels[:12], more).share > 0
    # The head is about as sure as it is right; twelve labels say no more.
    sure = scipy.special.softmax(head.outputs(test), axis=-1).max(axis=-1)
    assert abs(sure.mean() - both[-1]) < 0.15


def test_what_misleads_is_not_learnt_from():
    """The others fall into two heaps that have nothing to do with classes."""
    rows, labels = clouds(20)
    heaps = np.random.default_rng(3).normal(size=(200, rows.shape[1]))
    heaps += 9 * np.sign(heaps[:, :1]) * np.linspace(-1, 1, rows.shape[1])
    found = compare(rows, labels, heaps.astype(np.float32))
    assert found.share == found.numbers()["share"] == 0
    assert found.losses[0] == min(found.losses)
    assert found.numbers()["loss_with"] == min(found.losses[1:])
    assert "not learnt from" in found.describe()


def test_a_single_label_of_a_class_cannot_be_asked():
    rows, labels = clouds(5)
    found = compare(rows[:3], labels[:3], rows)
    assert found.numbers() == {"share": 0, "answers": 0}
    assert "two labels of each class" in found.describe()


def test_the_head_is_the_same_again_and_its_folds_keep_views_together():
    rows, labels = clouds(8)
    twice, of_twice = np.repeat(rows, 2, axis=0), np.repeat(labels, 2)
    more, _ = clouds(30, seed=1)
    task = MulticlassWithUnlabelled(unlabelled=more)
    heads = [task.solve(twice, of_twice[:, None], views=2) for _ in range(2)]
    np.testing.assert_array_equal(heads[0].kernel, heads[1].kernel)
    assert heads[0].out_of_fold.shape == (16, 2)
    np.testing.assert_allclose(heads[0].out_of_fold.sum(axis=1), 1, rtol=1e-5)
    assert "60 examples without labels" in heads[0].how()


def test_groups_are_not_torn_apart(monkeypatch):
    from tl_keras.semi_supervised import learner

    seen, real = [], learner.cut_folds

    def cut(labels, views, groups):
        folds = real(labels, views, groups)
        seen.extend(
            {groups[i] for i in fitted} & {groups[i] for i in judged}
            for fitted, judged in folds
        )
        return folds

    monkeypatch.setattr(learner, "cut_folds", cut)
    rows, labels = clouds(12)
    groups = [f"g{i // 4}" for i in range(24)]
    assert compare(rows, labels, rows, groups=groups).answers == 96
    assert seen == [set()] * 20


def test_a_class_that_weighs_more_is_said_more_often():
    rows, labels = clouds(6)
    more, _ = clouds(40, seed=1)
    said = [
        (solve_with_unlabelled(rows, labels, more, class_weights=weights)
         .outputs(more).argmax(axis=-1) == 1).sum()
        for weights in ([1.0, 1.0], [1.0, 30.0])
    ]  # fmt: skip
    assert said[1] > said[0]


def test_how_many_are_learnt_from():
    assert most_unlabelled(1280, 2) == 5000
    assert most_unlabelled(1280, 1000) == 156
    assert most_unlabelled(10**6, 10**4) == 1


def test_without_features_there_is_nothing_to_learn_from():
    with pytest.raises(ValueError, match="unlabelled: expected features"):
        MulticlassWithUnlabelled()
