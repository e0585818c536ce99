"""What a pretrained encoder is worth on texts: TF-IDF, frozen, tuned.

    TL_KERAS_SHARED=FOLDER python -m benchmarks.texts --model=DIR --draws=3

`FOLDER` holds data/texts: banking77 (77 intents, its own test split) and SMS
spam, of which 1,500 texts are kept for the test. Of each, so many texts a class
are drawn, which is all that a side has: what validates comes out of them.

tf-idf    `baselines.fit_tfidf` on all of them
frozen    the encoder's vectors, the head solved on all of them
tuned     the same head on five of six, then the last two blocks; the weights
          that are kept are chosen on the sixth
chosen    of the first two the one that is better out of fold
"""

import argparse
import dataclasses
import os
import pathlib
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from benchmarks.rounds import describe_machine
from tl_keras import FeatureStore, Phase, fit_phases
from tl_keras.baselines import fit_tfidf
from tl_keras.data.examples import Examples
from tl_keras.data.texts import list_texts
from tl_keras.inputs.text import TextInput, read_vocabulary
from tl_keras.networks.text import build_text_classifier, load_text_encoder
from tl_keras.sources import FixedBatches, Texts, TrainingBatches
from tl_keras.tasks.multiclass import evaluate_classifier, solve_probe
from tl_keras.training import Objective

SIDES = ("tf-idf", "frozen", "tuned", "chosen")
SMS_TEST = 1500


@dataclasses.dataclass
class Material:
    """A data set, with the encoder's vectors of all its texts."""

    name: str
    train: Texts
    test: Texts
    class_names: tuple[str, ...]
    features: np.ndarray
    test_features: np.ndarray


def material(name, train: Examples, test: Examples, names, encoder, decoding):
    """Tokenizes and encodes all texts, once for all draws."""
    made = [Texts.of(examples, decoding) for examples in (train, test)]
    cut = len(made[0].cut()) / len(train)
    began = time.perf_counter()
    vectors = [
        np.concatenate(
            [encoder.predict_on_batch(ids) for ids in texts.once(64)]
        )
        for texts in made
    ]
    rate = sum(map(len, made)) / (time.perf_counter() - began)
    print(
        f"{name}: {len(train):,} texts to draw from, {len(test):,} to test "
        f"on, {cut:.1%} cut at {decoding.max_tokens} tokens; encoded "
        f"{rate:.0f} a second",
        flush=True,
    )
    return Material(name, *made, names, *vectors)


def load(shared: pathlib.Path, encoder, decoding) -> list[Material]:
    """banking77 and SMS spam."""
    folder = shared / "data" / "texts"
    banking = list_texts(
        str(folder / "banking77" / "train.csv"),
        test_dataset=str(folder / "banking77" / "test.csv"),
    )
    sms = list_texts(str(folder / "sms_spam.csv"))
    # Messages that were sent again would stand on both sides.
    rows = sms.splits["train"]
    first = {
        text: place for place, text in reversed([*enumerate(rows.encoded)])
    }
    order = np.random.default_rng(0).permutation(sorted(first.values()))
    return [
        material(
            "banking77", banking.splits["train"], banking.splits["test"],
            banking.class_names, encoder, decoding,
        ),
        material(
            "SMS spam", rows.take(order[SMS_TEST:]),
            rows.take(order[:SMS_TEST]), sms.class_names, encoder, decoding,
        ),
    ]  # fmt: skip


def draw(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Places of so many texts of each class, class by class."""
    order = np.random.default_rng(seed).permutation(len(labels))
    return np.concatenate(
        [order[labels[order] == label][:count] for label in np.unique(labels)]
    )


def tuned(data: Material, places, count: int, options, seed: int) -> float:
    """Test accuracy after the last two blocks were tuned."""
    keras.utils.set_random_seed(seed)
    held = max(1, round(count / 6))
    validates = np.arange(len(places)) % count < held
    encoder = load_text_encoder(options.model, max_tokens=options.max_tokens)
    blocks = sum(layer.name.endswith("_attention") for layer in encoder.layers)
    model = build_text_classifier(encoder, len(data.class_names))
    with tempfile.TemporaryDirectory() as folder:
        fit_phases(
            model,
            [
                Phase("head", 1, 1e-3, solver="lbfgs"),
                Phase(
                    "fine_tune", options.epochs, options.learning_rate,
                    unfreeze_from=f"block_{blocks - 2}",
                ),
            ],
            TrainingBatches(data.train.take(places[~validates]), 16, seed=seed),
            FixedBatches(data.train.take(places[validates]), 32),
            features=FeatureStore(folder),
            objective=Objective(),
            verbose=0,
        )  # fmt: skip
    found = evaluate_classifier(
        model, data.test.batches(64), class_names=list(data.class_names)
    )
    return found.metrics["accuracy"]


def sides(data: Material, count: int, options, seed: int) -> dict[str, float]:
    """Test accuracy of each side, for one draw."""
    places = draw(data.train.labels, count, seed)
    labels, truth = data.train.labels[places], data.test.labels
    texts = [data.train.examples.encoded[i].decode() for i in places]
    asked = [text.decode() for text in data.test.examples.encoded]
    began = time.perf_counter()
    baseline = fit_tfidf(texts, labels, seed=seed)
    seconds = time.perf_counter() - began
    probe = solve_probe(data.features[places], labels)
    right = {
        "tf-idf": baseline.probabilities(asked).argmax(axis=1) == truth,
        "frozen": probe.outputs(data.test_features).argmax(axis=1) == truth,
    }
    found = {side: float(hits.mean()) for side, hits in right.items()}
    of_probe = float((probe.out_of_fold.argmax(axis=1) == labels).mean())
    better = "tf-idf" if baseline.accuracy > of_probe else "frozen"
    found["chosen"] = found[better]
    if options.epochs:
        found["tuned"] = tuned(data, places, count, options, seed)
    told = ", ".join(f"{s} {found[s]:.3f}" for s in SIDES if s in found)
    print(
        f"  {count} a class, draw {seed}: {told} (out of fold tf-idf "
        f"{baseline.accuracy:.3f}, frozen {of_probe:.3f}; tf-idf fitted in "
        f"{seconds:.1f} s)",
        flush=True,
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="the encoder's folder")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--max_tokens", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=4, help="0: not tuned")
    parser.add_argument("--learning_rate", type=float, default=1e-4)
    options = parser.parse_args()
    shared = pathlib.Path(os.environ.get("TL_KERAS_SHARED", ""))
    if not (shared / "data" / "texts").is_dir():
        sys.exit(
            f"TL_KERAS_SHARED={shared}: expected a folder with data/texts - "
            "set it"
        )
    describe_machine()
    vocabulary = read_vocabulary(options.model)
    decoding = TextInput(vocabulary, options.max_tokens)
    encoder = load_text_encoder(
        options.model, max_tokens=options.max_tokens, words=len(vocabulary)
    )
    counts = {"banking77": (8, 32), "SMS spam": (8, 32, 128)}
    for data in load(shared, encoder, decoding):
        for count in counts[data.name]:
            draws = [
                sides(data, count, options, seed)
                for seed in range(options.draws)
            ]
            means = ", ".join(
                f"{side} {statistics.mean(d[side] for d in draws):.3f}"
                for side in SIDES
                if side in draws[0]
            )
            print(f"{data.name}, {count} a class: {means}", flush=True)


if __name__ == "__main__":
    main()
