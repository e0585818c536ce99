"""Kill it anywhere, run the same command, get the same bits."""

import collections
import json
import random

import pytest
from conftest import write_picture
from killing import fingerprint, last_line, running


@pytest.fixture(scope="module")
def runs():
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three classes, 17 pictures each: no batch size divides them."""
    root = tmp_path_factory.mktemp("data") / "colors"
    for color, name in enumerate(("red", "green", "blue")):
        for number in range(17):
            write_picture(root / name / f"{number}.png", number, color)
    return root


# Dropout, augmentation, BatchNorm that trains, a partial last batch, both
# ways to take pictures, a head by epochs and one that is solved.
SETTINGS = {
    "stored": [
        "--head_epochs=6", "--dropout=0.3", "--augment=flip_crop",
        "--augment_views=2", "--train_batch_norm", "--fine_tune_epochs=6",
        "--early_stopping_patience=3",
    ],
    "fresh": [
        "--head_epochs=5", "--head_units=8", "--dropout=0.3",
        "--augment=flip_crop", "--train_batch_norm", "--fine_tune_epochs=5",
        "--optimizer=sgd",
    ],
    "solved": ["--head_epochs=1", "--fine_tune_epochs=8"],
}  # fmt: skip


@pytest.fixture
def arguments(pictures, tiny_network, request, tmp_path):
    """name of SETTINGS, output folder -> the command's arguments."""

    def of(name, out):
        cache = "off" if name == "fresh" else out.parent / "features"
        return [
            f"--dataset={pictures}", f"--backbone={tiny_network}",
            f"--output_dir={out}", f"--feature_cache={cache}",
            "--unfreeze_from=two", "--batch_size=4", "--val_fraction=0.2",
            "--test_fraction=0.2", *SETTINGS[name],
        ]  # fmt: skip

    return of


@pytest.fixture(scope="module")
def straight():
    """name of SETTINGS -> (fingerprint, seconds) of a run left alone."""
    return {}


def test_killed_at_random_it_ends_with_the_same_bits(
    runs, arguments, straight, tmp_path, request
):
    """Chains of up to five kills, each to a finished run."""
    wanted = request.config.getoption("--kills")
    seed = request.config.getoption("--kill_seed")
    draw = random.Random(seed)
    killed, where, chains = 0, collections.Counter(), 0
    while killed < wanted:
        name = list(SETTINGS)[chains % len(SETTINGS)]
        chains += 1
        if name not in straight:
            out = tmp_path / f"straight_{name}" / "out"
            log = tmp_path / "straight.log"
            took = runs.seconds(arguments(name, out), log)
            straight[name] = fingerprint(out), took
        expected, took = straight[name]
        out = tmp_path / f"chain_{chains}" / "out"
        log = tmp_path / f"chain_{chains}.log"
        for _ in range(min(5, wanted - killed)):
            code = runs.run(
                arguments(name, out), log, draw.uniform(0, 0.8 * took)
            )
            assert code in (0, -9), log.read_text()
            if code == 0:
                break
            killed += 1
            where[last_line(log)[:30]] += 1
        assert runs.run(arguments(name, out), log) == 0, log.read_text()
        assert fingerprint(out) == expected, (name, chains)
        left = {path.name for path in out.iterdir()}
        assert left == {"1", "run", ".lock"}
        print(f"{killed} kills, {chains} chains ended exact", flush=True)
    print(json.dumps(where.most_common(), indent=1))
