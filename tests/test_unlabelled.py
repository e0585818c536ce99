"""--unlabelled: what may be learnt from, and a run that learns from it."""

import csv
import dataclasses
import shutil

import numpy as np
import pytest
import tiny
from conftest import write_picture
from killing import fingerprint
from PIL import Image
from spoiling import encode, good_folder, picture

from tl_keras import TransferConfig, run
from tl_keras.audit import Rules
from tl_keras.audit.unlabelled import (
    AGAIN,
    LABELLED,
    summed,
    usable_unlabelled,
)
from tl_keras.data import Examples
from tl_keras.errors import ConfigError, DataError
from tl_keras.jobs import few_labels, stages
from tl_keras.jobs.checking import check_data
from tl_keras.jobs.training import with_unlabelled
from tl_keras.jobs.unlabelled import (
    UnlabelledExamples,
    Weighed,
    list_unlabelled,
    unlabelled_changes,
    write_unlabelled,
)
from tl_keras.semi_supervised import Comparison, HeadWithUnlabelled
from tl_keras.training import Objective


def examples(*encoded: bytes) -> Examples:
    ids = tuple(map(str, range(len(encoded))))
    return Examples(ids, np.zeros(len(ids), np.int32), encoded=encoded)


def test_what_a_split_holds_or_looks_like_is_left_out():
    big = [picture(seed, (120, 90)) for seed in range(8)]
    jpegs = [encode(image, "JPEG", quality=90) for image in big]
    splits = {
        "train": examples(jpegs[0]),
        "val": examples(jpegs[1]),
        "test": examples(jpegs[2], jpegs[3]),
    }
    mirrored = big[2].transpose(Image.FLIP_LEFT_RIGHT)
    given = {
        "a new one": (encode(big[4], "PNG"), ""),
        "the same again": (encode(big[4], "PNG"), AGAIN),
        "of test": (jpegs[2], "the bytes of a picture of the test split"),
        "of test, smaller": (
            encode(big[3].resize((70, 60)), "JPEG", quality=60),
            "looks like a picture of the test split",
        ),
        "of test, mirrored": (
            encode(mirrored, "PNG"), "looks like a picture of the test split",
        ),
        "of val, as PNG": (
            encode(big[1], "PNG"),
            "looks like a picture of the validation split",
        ),
        "of train": (jpegs[0], LABELLED),
        "of train, as PNG": (encode(big[0], "PNG"), ""),
        "labelled, in no split": (jpegs[5], LABELLED),
        "no picture": (b"GIF89a", "cannot be used: "),
        "too small": (encode(big[6].resize((4, 4)), "PNG"), "cannot be used: "),
    }  # fmt: skip
    unlabelled = examples(*(encoded for encoded, _ in given.values()))
    known = splits["train"].content_ids() + examples(jpegs[5]).content_ids()
    reasons = usable_unlabelled(
        unlabelled, splits, Rules(check="off"), known=known
    )
    for (name, (_, expected)), received in zip(
        given.items(), reasons, strict=True
    ):
        if expected.endswith(": "):
            assert received.startswith(expected), name
        else:
            assert received == expected, name
    assert summed(reasons)["cannot be used"] == 2


@pytest.fixture
def pets(tmp_path):
    """24 labelled pictures, and 6 others in a folder and a table."""
    root = good_folder(tmp_path / "pets", 12)
    more = tmp_path / "more"
    (more / "deep").mkdir(parents=True)
    for seed in range(6):
        place = more / "deep" if seed % 2 else more
        (place / f"{seed}.png").write_bytes(encode(picture(5000 + seed), "PNG"))
    return root, more


def listed(config: TransferConfig, most: int = 100):
    report, images = check_data(config, 16)
    return list_unlabelled(config, report, images, most), images


def test_a_folder_is_listed_and_its_account_balances(pets, tmp_path):
    root, more = pets
    config = TransferConfig(dataset=str(root), unlabelled=str(more))
    report, images = check_data(config, 16)
    of_test = images.test.examples
    shutil.copy(of_test.files[0], more / "leak.jpg")
    (more / "broken.jpg").write_bytes(b"no picture")
    (more / "notes.txt").write_text("no picture at all")
    found = list_unlabelled(config, report, images, 100)
    assert sorted(found.loaded.examples.ids) == sorted(
        [f"deep/{n}.png" for n in (1, 3, 5)] + [f"{n}.png" for n in (0, 2, 4)]
    )
    numbers = found.numbers()
    left_out = numbers["left_out"]
    assert left_out["the bytes of a picture of the test split"] == 1
    assert numbers["found"] == numbers["used"] + sum(left_out.values()) == 9
    assert "6 of 9 may be learnt from" in found.describe()
    file = tmp_path / "unlabelled.csv"
    write_unlabelled(file, found)
    with open(file, newline="", encoding="utf-8") as stream:
        rows = {row["id"]: row for row in csv.DictReader(stream)}
    assert "test split" in rows["leak.jpg"]["left_out"]
    assert len(rows["0.png"]["sha256"]) == 64
    assert unlabelled_changes(file, found) == ""
    # What is left out anyway may come and go.
    (more / "broken.jpg").unlink()
    assert unlabelled_changes(file, listed(config)[0]) == ""
    (more / "0.png").unlink()
    changes = unlabelled_changes(file, listed(config)[0])
    assert changes == "1 removed or changed (0.png)"


def test_a_table_of_labelled_and_unlabelled_rows_gives_the_latter(pets):
    root, _ = pets
    table = root.parent / "table.csv"
    rows = [f"pets/cat/{n}.jpg,cat" for n in range(12)]
    rows += [f"pets/dog/{n}.jpg,dog" for n in range(12)]
    rows += ["more/0.png,", "more/2.png,"]
    table.write_text("path,label\n" + "\n".join(rows) + "\n")
    config = TransferConfig(
        dataset=str(table), skip_unlabelled=True, unlabelled=str(table)
    )
    found, _ = listed(config)
    assert found.loaded.examples.ids == ("more/0.png", "more/2.png")


def test_of_very_many_some_all_over_are_taken(pets):
    root, more = pets
    config = TransferConfig(dataset=str(root), unlabelled=str(more))
    found, _ = listed(config, 3)
    assert found.loaded.examples.ids == ("0.png", "4.png", "deep/5.png")
    assert found.numbers()["left_out"] == {"more than 3 would take too long": 3}


def test_nothing_to_learn_from_is_told(pets):
    root, more = pets
    shutil.rmtree(more)
    shutil.copytree(root / "cat", more)
    with pytest.raises(
        DataError, match="0 of 12 may be learnt from; 8 left out"
    ):
        listed(TransferConfig(dataset=str(root), unlabelled=str(more)))


REFUSED = {
    "not there": ({"unlabelled": "nowhere"}, "a folder or a .csv"),
    "in the dataset": ({"unlabelled": "pets/cat"}, "outside of --dataset"),
    "no head": ({"head_epochs": 0}, "--head_epochs=0 solves no head"),
    "epochs": ({"dropout": 0.5}, "which --dropout leaves none of"),
    "adam": ({"head_solver": "adam"}, "which --head_solver leaves none of"),
    "no store": ({"feature_cache": "off"}, "--feature_cache=off keeps"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_settings_that_cannot_learn_from_it(pets, case):
    root, more = pets
    values, words = REFUSED[case]
    if "unlabelled" in values:
        values = {"unlabelled": str(root.parent / values["unlabelled"])}
    config = TransferConfig(
        **{"dataset": str(root), "unlabelled": str(more), **values}
    )
    with pytest.raises(ConfigError, match=words.replace("--", "")):
        config.validate()


@pytest.fixture
def config(tiny_network, tmp_path, monkeypatch) -> TransferConfig:
    """A run that learns from ten more pictures, whatever they are worth."""
    tiny.use(monkeypatch, tiny.QUICK)
    more = tmp_path / "more"
    for number in range(10):
        write_picture(more / f"{number}.png", 700 + number, number % 2)
    real = few_labels.compare

    def compare(*known, **more):
        found = real(*known, **more)
        assert found.answers > 0
        return Comparison((1.0, 0.9, 0.95), (0.5, 0.75, 0.6), found.answers)

    monkeypatch.setattr(few_labels, "compare", compare)
    return tiny.config(
        tiny.write_colors(tmp_path / "colors"), tiny_network,
        tmp_path / "out", dropout=0.0, unlabelled=str(more),
        feature_cache=str(tmp_path / "features"),
    )  # fmt: skip


@pytest.mark.usefixtures("plain_decoder")
def test_a_run_learns_from_them_and_goes_on_after_a_kill(
    config, tmp_path, monkeypatch, capsys
):
    from tl_keras.semi_supervised import head

    solved, real = [], head.solve_with_unlabelled

    def solve(*known, **more):
        solved.append(real(*known, **more))
        return solved[-1]

    monkeypatch.setattr(
        "tl_keras.semi_supervised.task.solve_with_unlabelled", solve
    )
    straight = run(
        dataclasses.replace(
            config, output_dir=str(tmp_path / "straight" / "out")
        )
    )
    assert isinstance(solved[0], HeadWithUnlabelled)
    assert solved[0].unlabelled == 10
    assert straight.metrics["unlabelled"] == {
        "found": 10, "used": 10, "left_out": {}, "share": 0.5,
        "loss": 1.0, "accuracy": 0.5, "loss_with": 0.9,
        "accuracy_with": 0.75, "answers": 48,
    }  # fmt: skip
    assert "unlabelled: learnt from" in capsys.readouterr().out
    # A process that ends after the head was solved is gone on with.
    with pytest.raises(tiny.CutShortError):
        run(config, stages=tiny.QUICK.replacing(stages.evaluate, tiny.end))
    again = run(config)
    assert len(solved) == 2
    assert again.metrics["unlabelled"] == straight.metrics["unlabelled"]
    assert fingerprint(tmp_path / "out") == fingerprint(
        tmp_path / "straight" / "out"
    )


@pytest.mark.usefixtures("plain_decoder")
def test_other_pictures_are_another_run(config, tmp_path):
    with pytest.raises(tiny.CutShortError):
        run(config, stages=tiny.UNTRAINED.replacing(stages.weigh, tiny.end))
    write_picture(tmp_path / "more" / "11.png", 711, 0)
    with pytest.raises(
        DataError, match="other pictures in unlabelled: 1 added or changed"
    ):
        run(config, stages=tiny.UNTRAINED)


@pytest.mark.usefixtures("plain_decoder")
def test_one_that_is_lost_on_the_way_is_named(config, tmp_path):
    def lose(run_so_far):
        (tmp_path / "more" / "3.png").unlink()
        return stages.weigh(run_so_far)

    with pytest.raises(DataError, match=r"3\.png: cannot be read"):
        run(config, stages=tiny.UNTRAINED.replacing(stages.weigh, lose))


def test_pictures_that_do_not_help_are_not_given_to_the_head():
    rows = np.zeros((3, 2), np.float32)
    objective = Objective(label_smoothing=0.1, class_weights=[1.0, 2.0])
    assert with_unlabelled(objective, None) is objective
    assert with_unlabelled(objective, Weighed(rows, {"share": 0})) is objective
    task = with_unlabelled(objective, Weighed(rows, {"share": 1})).predicts()
    assert (task.label_smoothing, task.class_weights) == (0.1, [1.0, 2.0])
    assert (task.unlabelled is rows, task.share) == (True, 1)


def test_an_account_says_what_was_no_picture():
    pictures = UnlabelledExamples([], (("a", "", "why: so"),), {"hidden": 2})
    assert pictures.numbers() == {
        "found": 3, "used": 0, "left_out": {"why": 1, "hidden": 2},
    }  # fmt: skip
