"""Several labels and numbers on real photographs, against scikit-learn.

    python -m benchmarks.tasks --photos=cats_vs_dogs --weights=mobilenet.h5
    python -m benchmarks.tasks --photos=cats_vs_dogs --make=sets

In: a folder of cats and dogs (train/, val/, test/ or not), and ImageNet weights
of MobileNetV2 (alpha 0.35). Two sets are made of them in a temporary folder,
and thrown away again:

* several labels: 600 pictures, each two things side by side, drawn of cats,
  dogs and handwritten digits; its labels are which of them are there.
* numbers: 600 photographs, 40 parts of each turned by an angle from -45 to 45
  degrees, of which the middle is cut out, so that no corner tells; the angle is
  to be said of photographs that training has not seen in any part.

Out: with `--make`, both sets in a folder that stays, and no more; else a table.
The labels are learnt by the head alone, which is held against scikit-learn's
own pipeline on the very same features; the angle by all layers.
"""

import argparse
import itertools
import pathlib
import tempfile
import time

import numpy as np
from PIL import Image

SIDE = 224
COUNT = 600
TURNS, TURNED_SIDE = 40, 128  # pictures of each photograph that is turned
SPLITS = 20  # of what validation and test hold, for the coverage


def photographs(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Class -> its files, whatever split they lie in."""
    found: dict[str, list] = {}
    for file in sorted(folder.rglob("*.jpg")):
        found.setdefault(file.parent.name, []).append(file)
    return found


def drawn_digits() -> np.ndarray:
    """uint8 (n, 8, 8), the handwritten digits of scikit-learn."""
    from sklearn.datasets import load_digits

    images = load_digits().images
    return np.uint8(255 - images * (255 / 16))


def squares(file: pathlib.Path, size: int) -> Image.Image:
    """The middle of a photograph."""
    with Image.open(file) as picture:
        picture = picture.convert("RGB")
        side = min(picture.size)
        left = (picture.width - side) // 2
        top = (picture.height - side) // 2
        middle = picture.crop((left, top, left + side, top + side))
        return middle.resize((size, size), Image.Resampling.BICUBIC)


def make_pairs(folder: pathlib.Path, photos: dict) -> pathlib.Path:
    """Two things side by side, and a table of what they are."""
    random = np.random.default_rng(0)
    digits = drawn_digits()
    names = [*sorted(photos), "digit"]
    lines = ["path,label"]
    for number in range(COUNT):
        shown = [names[i] for i in random.integers(0, len(names), 2)]
        halves = []
        for name in shown:
            if name == "digit":
                digit = Image.fromarray(digits[random.integers(len(digits))])
                half = digit.convert("RGB").resize((SIDE, SIDE))
            else:
                files = photos[name]
                half = squares(files[random.integers(len(files))], SIDE)
            halves.append(np.asarray(half))
        picture = np.concatenate(halves, axis=1)
        Image.fromarray(picture).save(folder / f"{number}.jpg", quality=90)
        lines.append(f"{number}.jpg,{'|'.join(sorted(set(shown)))}")
    table = folder / "pairs.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def make_turned(folder: pathlib.Path, photos: dict) -> pathlib.Path:
    """Parts of photographs turned by an angle, and a table of the angles."""
    random = np.random.default_rng(0)
    files = list(itertools.chain.from_iterable(photos.values()))
    files = [files[i] for i in random.permutation(len(files))[:COUNT]]
    lines = ["path,angle,photograph"]
    for number, file in enumerate(files):
        with Image.open(file) as picture:
            picture = picture.convert("RGB")
        for turn in range(TURNS):
            angle = random.uniform(-45, 45)
            name = f"{number}_{turn}.jpg"
            turned_part(picture, angle, random).save(folder / name, quality=90)
            lines.append(f"{name},{angle:.3f},{number}")
    table = folder / "turned.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


def turned_part(picture: Image.Image, angle: float, random) -> Image.Image:
    """A part of a photograph, every second mirrored, turned by an angle."""
    side = int(min(picture.size) * random.uniform(0.6, 1))
    left = int(random.integers(0, picture.width - side + 1))
    top = int(random.integers(0, picture.height - side + 1))
    part = picture.crop((left, top, left + side, top + side))
    part = part.resize((2 * TURNED_SIDE,) * 2, Image.Resampling.BICUBIC)
    if random.random() < 0.5:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned = part.rotate(angle, Image.Resampling.BICUBIC)
    # The middle that no corner reaches at 45 degrees.
    inner = int(2 * TURNED_SIDE / 2**0.5)
    edge = (2 * TURNED_SIDE - inner) // 2
    middle = turned.crop((edge, edge, edge + inner, edge + inner))
    return middle.resize((TURNED_SIDE, TURNED_SIDE))


def outputs_of(result, config, layer: str, splits) -> dict[str, tuple]:
    """Split -> (a layer's outputs, targets, groups) of its pictures."""
    import keras

    from tl_keras.jobs.checking import check_data
    from tl_keras.tasks.outputs import raw_outputs

    _, images = check_data(config, result.model.input_shape[1])
    part = keras.Model(result.model.input, result.model.get_layer(layer).output)
    return {
        split: (
            *raw_outputs(part, getattr(images, split).batches(32)),
            getattr(images, split).examples.groups,
        )
        for split in splits
    }


def configured(table: pathlib.Path, weights: str, **values):
    """The settings of a run on MobileNetV2 0.35."""
    from tl_keras import TransferConfig

    return TransferConfig(
        dataset=str(table),
        backbone="MobileNetV2",
        backbone_args="alpha=0.35",
        weights=weights,
        # Both halves of a pair are wanted whole.
        resize="squash",
        output_dir=str(table.parent / "out"),
        **values,
    )


def configured_for_angles(table: pathlib.Path, weights: str):
    """The same for angles: all layers, since the last ones do not see them."""
    return configured(
        table,
        weights,
        target="angle",
        # No part of a photograph is judged by another of it.
        group_column="photograph",
        image_size=TURNED_SIDE,
        # Parts of one photograph look alike, and shall.
        check="fast",
        unfreeze_from="all",
        fine_tune_epochs=14,
        fine_tune_learning_rate=1e-3,
        val_fraction=0.1,
        test_fraction=0.1,
    )


def labels_against_scikit_learn(result, config) -> list[str]:
    """mAP and seconds of both heads on the same features."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.metrics import average_precision_score
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tl_keras.networks import FIRST_OF_HEAD
    from tl_keras.tasks.multilabel import solve_labels

    found = outputs_of(result, config, FIRST_OF_HEAD, ("train", "test"))
    (features, targets, _), (asked, truth, _) = found["train"], found["test"]
    began = time.perf_counter()
    ours = solve_labels(features, targets)
    our_seconds = time.perf_counter() - began
    one = LogisticRegressionCV(
        Cs=10, cv=5, max_iter=1000, scoring="neg_log_loss"
    )
    theirs = make_pipeline(StandardScaler(), OneVsRestClassifier(one))
    began = time.perf_counter()
    theirs.fit(features, targets)
    their_seconds = time.perf_counter() - began
    our_map = average_precision_score(truth, ours.outputs(asked))
    their_map = average_precision_score(truth, theirs.predict_proba(asked))
    return [
        f"| head, exactly | {our_map:.4f} | {our_seconds:.2f} s |",
        f"| scikit-learn, same features | {their_map:.4f} | "
        f"{their_seconds:.2f} s |",
    ]


def coverage_of_splits(result, config) -> list[float]:
    """How many truths 90 % intervals hold, over halves of the photographs that
    are not trained on: one half chooses the margin, the other is asked."""
    from tl_keras.networks import LOGITS
    from tl_keras.tasks.conformal import interval_margin

    found = outputs_of(result, config, LOGITS, ("val", "test")).values()
    outputs, truth, groups = (
        np.concatenate([split[i] for split in found]) for i in range(3)
    )
    task = result.metrics["task"]
    values = outputs * task["scale"] + task["mean"]
    errors = np.abs(values - truth)[:, 0]
    photos, of_photo = np.unique(groups, return_inverse=True)
    held = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(photos))
        first = np.isin(of_photo, order[: len(order) // 2])
        margin = interval_margin(errors[first], 0.9)
        held.append(float((errors[~first] <= margin).mean()))
    return held


def made_sets(place: pathlib.Path, photos: dict) -> tuple[pathlib.Path, ...]:
    """The tables of both sets, made below a folder."""
    makers = {"pairs": make_pairs, "turned": make_turned}
    for name in makers:
        (place / name).mkdir(parents=True)
    return tuple(make(place / name, photos) for name, make in makers.items())


def measure_labels(table: pathlib.Path, weights: str) -> list[str]:
    """A whole run of several labels, and its head beside scikit-learn's."""
    from tl_keras import run

    config = configured(table, weights, image_size=SIDE, fine_tune_epochs=0)
    began = time.perf_counter()
    result = run(config)
    seconds = time.perf_counter() - began
    test = result.metrics["test"]
    return [
        "| several labels | mAP | time |",
        "|---|---|---|",
        f"| whole run | {test['map']:.4f} | {seconds:.0f} s |",
        *labels_against_scikit_learn(result, config),
        f"micro-F1 {test['micro_f1']:.4f}, exact match "
        f"{test['exact_match']:.4f}, {test['examples']} test pictures",
    ]


def measure_angles(table: pathlib.Path, weights: str) -> list[str]:
    """A whole run of numbers, and what its intervals hold."""
    from tl_keras import run

    config = configured_for_angles(table, weights)
    began = time.perf_counter()
    result = run(config)
    seconds = time.perf_counter() - began
    test, card = result.metrics["test"], result.metrics["card"]
    held = coverage_of_splits(result, config)
    return [
        "| angle | mean error | R2 | time |",
        "|---|---|---|---|",
        f"| whole run | {test['mae']:.2f} | {test['r2']:.3f} | "
        f"{seconds:.0f} s |",
        f"| always the median | {card['section']['baseline_mae']:.2f} | 0 | |",
        f"coverage on test {test['coverage']:.3f}; in the mean over {SPLITS} "
        f"halves {np.mean(held):.3f} ({min(held):.3f} to {max(held):.3f})",
    ]


def main() -> None:
    """Makes both sets, runs both, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", required=True)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--weights")
    given.add_argument("--make", type=pathlib.Path)
    asked = parser.parse_args()
    photos = photographs(pathlib.Path(asked.photos))
    if asked.make:
        for table in made_sets(asked.make, photos):
            print(table)
        return
    with tempfile.TemporaryDirectory() as scratch:
        pairs, turned = made_sets(pathlib.Path(scratch), photos)
        lines = measure_labels(pairs, asked.weights)
        lines += ["", *measure_angles(turned, asked.weights)]
    print("\n".join(["", *lines]))


if __name__ == "__main__":
    main()
