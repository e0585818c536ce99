"""Kill it anywhere, run the same command, get the same bits."""

import collections
import contextlib
import itertools
import json
import os
import random
import shutil

import pytest
from bert_reference import write_tiny_bert
from conftest import write_picture
from killing import (
    QUICK,
    UNGATED,
    WHOLE,
    fingerprint,
    last_line,
    running,
)
from test_text_jobs import write_table


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
    files = sorted(root.rglob("*.png"))
    lines = {
        "labels": lambda p: f"{p.parent.name}{'|early' * (int(p.stem) < 9)}",
        "numbers": lambda p: f"{p.stem}.5",
    }
    for name, of in lines.items():
        rows = [f"{p.parent.name}/{p.name},{of(p)}" for p in files]
        text = "\n".join(["path,label", *rows])
        (root / f"{name}.csv").write_text(text)
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
    # Tables of several labels, with a loss of their own, and of numbers.
    "labels": [
        "--task=multilabel", "--loss=asymmetric", "--class_weights=balanced",
        "--head_epochs=1", "--fine_tune_epochs=3",
    ],
    "numbers": [
        "--task=regression", "--head_epochs=4", "--dropout=0.3",
        "--fine_tune_epochs=2",
    ],
    # An encoder with words beside it.
    "texts": [
        "--max_tokens=24", "--head_epochs=1", "--fine_tune_epochs=4",
        "--unfreeze_from=block_1", "--batch_size=8",
    ],
    "searched": ["--strategy=auto", "--budget_minutes=1000"],
    # Where the frozen head, which is poor, has a say in the plan.
    "reckoned": ["--strategy=auto"],
}  # fmt: skip


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """A folder with a table of texts and a tiny BERT in it."""
    root = tmp_path_factory.mktemp("texts")
    write_tiny_bert(root / "bert")
    write_table(root / "intents.csv")
    return root


@pytest.fixture(scope="module")
def drawn_lots(tmp_path_factory):
    """150 pictures whose classes nothing in them says."""
    root = tmp_path_factory.mktemp("lots") / "lots"
    draw = random.Random(0)
    for number in range(150):
        place = root / f"class_{draw.randrange(3)}" / f"{number}.png"
        write_picture(place, number, number % 3)
    return root


@pytest.fixture
def arguments(pictures, drawn_lots, texts, tiny_network):
    """name of SETTINGS, output folder -> the command's arguments."""

    def of(name, out):
        cache = "off" if name == "fresh" else out.parent / "features"
        table = pictures / f"{name}.csv"
        data = table if table.exists() else pictures
        data = drawn_lots if name == "reckoned" else data
        taken = [
            f"--dataset={data}", f"--backbone={tiny_network}",
            "--unfreeze_from=two", "--batch_size=4", "--val_fraction=0.2",
            "--test_fraction=0.2",
        ]  # fmt: skip
        if name == "texts":
            taken = [
                f"--dataset={texts / 'intents.csv'}",
                f"--backbone={texts / 'bert'}",
            ]
        if name in ("searched", "reckoned"):
            taken.remove("--unfreeze_from=two")
        places = [f"--output_dir={out}", f"--feature_cache={cache}"]
        return [*taken, *places, *SETTINGS[name]]

    return of


@pytest.fixture(scope="module")
def alone(runs, tmp_path_factory):
    """name of SETTINGS, how real -> (fingerprint, lines) of a run left so.

    One that is wholly real is run where it is hardest, see `unusual`.
    """
    known = {}

    def of(name, real, arguments):
        if (name, real) not in known:
            root = tmp_path_factory.mktemp(f"alone_{name}_{real}")
            surroundings = contextlib.nullcontext((runs, root / "out"))
            if real == WHOLE:
                surroundings = unusual(root)
            with surroundings as (started, out):
                lines = started.lines(arguments(name, out), root / "log", real)
            known[name, real] = fingerprint(out), lines, out
        return known[name, real]

    return of


@contextlib.contextmanager
def unusual(root):
    """C locale, no HOME, a mask of 077, spaces, Unicode, a long path."""
    out = root / "späce d" / ("x" * 150) / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANG", "C")
        patch.setenv("LC_ALL", "C")
        patch.delenv("HOME", raising=False)
        before = os.umask(0o077)
        try:
            with running() as started:
                yield started, out
        finally:
            os.umask(before)


def killed_chain(runs, given, log, lines, most, draw, real) -> list[str]:
    """Kills a command up to `most` times at random, then lets it end.

    Returns:
        What it had said last at each kill.
    """
    said = []
    for again in range(most):
        # A run that goes on has less to say. After the last line evaluation
        # and export are silent.
        line = draw.randint(1, lines // 3 if again else lines)
        moment = line, draw.uniform(0, 8 if line == lines else 1)
        code = runs.run(given, log, moment, real=real)
        assert code in (0, -9), log.read_text()
        if code == 0:
            break
        said.append(last_line(log)[:30])
    code = runs.run(given, log, real=real)
    assert code == 0, log.read_text()
    return said


def chains_of(first: int):
    """(name, how real, kills) of chains, so that each kind has its share.

    A whole run comes second, which is always reached; its gate's processes take
    most of its time, so that it is killed once, and few chains behind it are
    whole.
    """
    yield "stored", QUICK, first
    yield "solved", WHOLE, 1
    yield "fresh", QUICK, first
    for chain in itertools.count():
        real = WHOLE if chain % 8 == 7 else UNGATED
        yield list(SETTINGS)[chain % len(SETTINGS)], real, 5


@pytest.mark.parametrize(
    "kills", [None, pytest.param(200, marks=pytest.mark.nightly)]
)
def test_killed_at_random_it_ends_with_the_same_bits(
    runs, arguments, alone, tmp_path, request, kills
):
    """Chains of some kills, each to a finished run."""
    wanted = kills or request.config.getoption("--kills")
    draw = random.Random(request.config.getoption("--kill_seed"))
    killed, where = 0, collections.Counter()
    for chain, (name, real, most) in enumerate(chains_of(first=3)):
        if killed >= wanted:
            break
        expected, lines, _ = alone(name, real, arguments)
        out = tmp_path / f"chain_{chain}" / "out"
        log = tmp_path / f"chain_{chain}.log"
        said = killed_chain(
            runs, arguments(name, out), log, lines,
            min(most, wanted - killed), draw, real,
        )  # fmt: skip
        killed += len(said)
        where.update(said)
        assert fingerprint(out) == expected, (name, chain)
        left = {path.name for path in out.iterdir()}
        assert left == {"1", "run", ".lock"}
        shutil.rmtree(out.parent)
        print(f"{killed} kills, {chain + 1} chains ended exact", flush=True)
    print(json.dumps(where.most_common(), indent=1))


@pytest.mark.parametrize("name", ["labels", "numbers"])
def test_killed_in_a_run_of_another_task_it_ends_with_the_same_bits(
    name, runs, arguments, alone, tmp_path
):
    """In the middle of its epochs.

    Three quick runs, as each kind of task keeps other things in its saves.
    """
    expected, lines, _ = alone(name, QUICK, arguments)
    out, log = tmp_path / "killed" / "out", tmp_path / "log"
    moment = lines // 2, 0.0
    code = runs.run(arguments(name, out), log, moment, real=QUICK)
    assert code == -9, log.read_text()
    code = runs.run(arguments(name, out), log, real=QUICK)
    assert code == 0, log.read_text()
    assert "going on with the run in " in log.read_text()
    assert fingerprint(out) == expected


@pytest.mark.parametrize(
    "kills", [2, pytest.param(10, marks=pytest.mark.nightly)]
)
def test_texts_killed_at_random_end_with_the_same_bits(
    kills, runs, arguments, alone, tmp_path, request
):
    """Four quick runs, or what ten kills take."""
    expected, lines, _ = alone("texts", QUICK, arguments)
    draw = random.Random(request.config.getoption("--kill_seed"))
    killed, chain = 0, 0
    while killed < kills:
        out = tmp_path / f"chain_{chain}" / "out"
        killed += len(
            killed_chain(
                runs, arguments("texts", out), tmp_path / "log", lines,
                min(5, kills - killed), draw, QUICK,
            )
        )  # fmt: skip
        assert fingerprint(out) == expected, chain
        chain += 1


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["searched", "reckoned"])
def test_killed_in_a_search_it_ends_with_the_same_bits(
    name, runs, arguments, alone, tmp_path, request
):
    """Five kills, wherever they fall; a budget of minutes lets every way in."""
    expected, lines, folder = alone(name, QUICK, arguments)
    plan = json.loads((folder / "run" / "metrics.json").read_text())["search"]
    assert ("labels wrong" in str(plan)) is (name == "reckoned")
    draw = random.Random(request.config.getoption("--kill_seed"))
    out = tmp_path / "killed" / "out"
    killed_chain(
        runs, arguments(name, out), tmp_path / "log", lines, 5, draw, QUICK
    )  # fmt: skip
    assert fingerprint(out) == expected


def test_f05_signals_save_and_the_run_ends_with_the_same_bits(
    runs, arguments, alone, tmp_path
):
    """One of each kind, at moments of a run from its first step on."""
    expected, lines, _ = alone("stored", QUICK, arguments)
    out, log = tmp_path / "stopped" / "out", tmp_path / "log"
    for number, share in (("SIGTERM", 0.1), ("SIGINT", 0.2), ("SIGHUP", 0.5)):
        moment = int(share * lines), 0.1
        code = runs.run(
            arguments("stored", out), log, moment, number, real=QUICK
        )
        said = log.read_text()
        assert code in (0, 75), said
        assert "Traceback" not in said
        if code == 75:
            assert "the same command to go on" in said
    assert runs.run(arguments("stored", out), log, real=QUICK) == 0
    assert fingerprint(out) == expected


def test_f27_an_unusual_place_and_surroundings(arguments, alone):
    """Runs that are killed where all is usual end as this one did."""
    _, _, out = alone("solved", WHOLE, arguments)
    assert (out / "1" / "saved_model.pb").exists()
    assert (out / "run" / "report.html").exists()
    assert (out / "run").stat().st_mode & 0o077 == 0
