"""What splits share: only what the data brought, told with the accuracy
without it; and pairs are where the cut has put them."""

import json
import shutil
import types

import numpy as np
import pytest
from spoiling import check, good_folder, jpeg, picture

from tl_keras.audit import Rules, check_listing, seen_in_training
from tl_keras.data import Cut, list_dataset
from tl_keras.errors import MachineError
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.jobs.metrics import leakage
from tl_keras.run_card import leakage_lines
from tl_keras.runs import LOCK, leaving_nothing
from tl_keras.sources import split_examples
from tl_keras.tasks.multiclass.task import Multiclass


@pytest.fixture
def leaking(tmp_path):
    """train/ with copies in it, test/ with one picture of train/."""
    root = tmp_path / "leak"
    for number, split in enumerate(("train", "test")):
        good_folder(root / split, 12 - 6 * number)
        for i, file in enumerate(sorted((root / split).rglob("*.jpg"))):
            file.write_bytes(jpeg(100 * number + i))
    for name in ("cat", "dog"):
        for i in range(6):
            shutil.copy(
                root / "train" / name / f"{i}.jpg",
                root / "train" / name / f"copy{i}.jpg",
            )
    shutil.copy(root / "train/cat/0.jpg", root / "test/cat/x.jpg")
    return root


@pytest.mark.parametrize("seed", range(3))
def test_to_allow_leakage_lets_no_cut_leak(leaking, seed):
    listing = list_dataset(str(leaking), allow_leakage=True)
    rules = Rules(allow_leakage=True)
    report = check_listing(listing, str(leaking), rules)
    assert report.faults == ()
    images = split_examples(report.listing, Cut(seed=seed), Decoding(8))
    splits = images.examples()
    hashes = {s: set(e.content_ids()) for s, e in splits.items()}
    assert not hashes["train"] & hashes["val"]
    assert len(hashes["train"]) == len(splits["train"])
    found = seen_in_training(report.rows, splits)
    shared = hashes["test"] & hashes["train"]
    assert len(found.get("test", ())) == len(shared) <= 1
    assert "val" not in found


def test_what_is_shared_is_told_with_the_accuracy_without_it(leaking, capsys):
    """With a validation split of its own, so that train keeps the picture."""
    shutil.copytree(leaking / "test", leaking / "val")
    for i, file in enumerate(sorted((leaking / "val").rglob("*.jpg"))):
        file.write_bytes(jpeg(500 + i))
    ran = check(capsys, leaking, "--allow_leakage")
    assert ran.code == 0
    assert (
        "1 of 13 pictures of test has the bytes of a training picture "
        "(--allow_leakage) - the accuracy without them says more"
    ) in ran.warnings
    rules = Rules(allow_leakage=True)
    listing = list_dataset(str(leaking), allow_leakage=True)
    report = check_listing(listing, str(leaking), rules)
    images = split_examples(report.listing, Cut(), Decoding(8))
    prepared = types.SimpleNamespace(
        report=report, labelled=images, task=Multiclass()
    )
    labels = images.test.examples.labels
    place = images.test.examples.ids.index("test/cat/x.jpg")
    predicted = np.where(np.arange(13) == place, labels, 1 - labels)
    evaluation = types.SimpleNamespace(
        targets=labels, answers=np.eye(2, dtype=np.float32)[predicted]
    )
    numbers = leakage(prepared, evaluation)["leakage"]
    assert numbers["test"] == 1
    assert numbers["without"]["examples"] == 12
    assert numbers["without"]["accuracy"] == 0
    (line,) = leakage_lines({"leakage": numbers})
    assert line.startswith(
        "1 of the test pictures is in training too (--allow_leakage); of the "
        "other 12 0.0 % are right"
    )
    assert leakage_lines({}) == []


def test_counts_are_of_what_is_used(tmp_path, capsys):
    """Not of copies that were dropped, nor of what was skipped."""
    root = good_folder(tmp_path / "pets", 6)
    for name in ("cat", "dog"):
        (root / name / "deep").mkdir()
        for i in range(6):
            file = root / name / f"{i}.jpg"
            file.rename(root / name / "deep" / file.name)
    shutil.copy(root / "cat/deep/1.jpg", root / "cat/deep/copy.jpg")
    (root / "cat/deep/bad.jpg").write_bytes(b"")
    ran = check(capsys, root, "--max_bad_fraction=0.1")
    assert ran.counts == (14, 12, 1, 1)
    assert "of the used 12: in a sub-folder of its class folder" in ran.out


def test_pairs_are_where_the_cut_has_put_them(tmp_path, capsys):
    root = good_folder(tmp_path / "pets", 6)
    for i in range(4):
        small = picture(i, (64, 48)).resize((60, 40))
        small.save(root / "cat" / f"small{i}.png")
    out = tmp_path / "out"
    ran = check(capsys, root, "--test_fraction=0.4", f"--output_dir={out}")
    apart = next(line for line in ran.warnings if "cut apart" in line)
    report = json.loads((out / "data_report.json").read_text())
    splits = {tuple(p["ids"]): p["splits"] for p in report["look_alike"]}
    for ids, (one, two) in splits.items():
        if f"as {ids[0]} (" in apart:
            assert f"{ids[0]} ({one}) and {ids[1]} ({two})" in apart
            assert one != two
    assert "two splits" in (out / "data_report.html").read_text()


def test_near_duplicates_of_two_groups_are_told(tmp_path, capsys):
    root = good_folder(tmp_path / "pets", 6)
    picture(1, (64, 48)).resize((60, 40)).save(root / "cat" / "x.png")
    rows = [
        f"pets/{c}/{i}.jpg,{c},{c}{i // 2}" for c in ("cat", "dog")
        for i in range(6)
    ]  # fmt: skip
    table = tmp_path / "t.csv"
    table.write_text(
        "path,label,patient\n" + "\n".join([*rows, "pets/cat/x.png,cat,cat2"])
    )
    ran = check(capsys, table, "--group_column=patient")
    assert ran.code == 0
    assert any(
        line.startswith("1 pair that looks alike is of two groups")
        and "(cat0)" in line and "(cat2)" in line
        for line in ran.warnings
    )  # fmt: skip
    assert "of the used 13: in groups of patient: " in ran.out


def test_a_start_that_fails_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "saved_models" / "pets"
    with pytest.raises(MachineError), leaving_nothing(folder):
        folder.mkdir(parents=True)
        (folder / LOCK).write_text("process 1")
        raise MachineError("no")
    assert list(tmp_path.iterdir()) == []
    folder.mkdir(parents=True)
    with pytest.raises(MachineError), leaving_nothing(folder):
        (folder / LOCK).write_text("process 1")
        raise MachineError("no")
    assert folder.exists()
    assert list(folder.iterdir()) == []
    for name in (LOCK, "mine.txt"):
        (folder / name).write_text("x")
    with pytest.raises(MachineError), leaving_nothing(folder):
        raise MachineError("no")
    assert len(list(folder.iterdir())) == 2


def test_a_plan_downloads_nothing(color_folder, monkeypatch):
    """Random weights are enough for it; and data is looked at before them."""
    from tl_keras import TransferConfig, jobs
    from tl_keras.errors import DataError
    from tl_keras.jobs.kinds import pictures
    from tl_keras.networks import load_backbone

    asked = []

    def load(backbone, *, weights, **more):
        asked.append(weights)
        return load_backbone("MobileNetV2", image_size=32, weights="none",
                             arguments={"alpha": 0.35})  # fmt: skip

    monkeypatch.setattr(pictures, "load_backbone", load)
    config = TransferConfig(
        dataset=str(color_folder), backbone="MobileNetV2", precision="float32",
        input_scaling="auto", unfreeze_from="all",
    )  # fmt: skip
    jobs.plan(config)
    assert asked == ["none"]
    shutil.rmtree(color_folder / "green")
    with pytest.raises(DataError):
        jobs.plan(config)
    assert asked == ["none"]
