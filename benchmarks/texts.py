"""What a pretrained encoder is worth on texts: TF-IDF, frozen, tuned.

    TL_KERAS_SHARED=FOLDER python -m benchmarks.texts --model=DIR --draws=3 \
        --cache=FOLDER


`FOLDER` holds data/texts: banking77 (77 intents, its own test split) and SMS
spam, of which 1,500 texts are kept for the test. Of each, so many texts a class
are drawn, which is all that a side has: what validates comes out of them.

tf-idf    `baselines.fit_tfidf` on all of them
frozen    the encoder's vectors, the head solved on all of them
tuned     the same head on five of six, then the last two blocks; the weights
          that are kept are chosen on the sixth
default   what is chosen where nothing else is asked for: the first two and
          the class names' vectors, weighed out of fold on all texts; in their
          place the tuned network with TF-IDF, where on the sixth that
          validates it is surely better than they are

Then ten intents of banking77 are kept back as texts of no class: how many of
them a least probability, chosen out of fold, refuses.

`--cache` keeps vectors and the tuned networks' outputs, by which a second run
takes a minute.
"""

import argparse
import os
import pathlib
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import scipy.special

from benchmarks.rounds import describe_machine
from benchmarks.text_material import Cache, Material, draw, load
from tl_keras import FeatureStore, Phase, fit_phases
from tl_keras.baselines import fit_tfidf, solve_beside
from tl_keras.inputs.text import TextInput, read_vocabulary
from tl_keras.networks.text import build_text_classifier, load_text_encoder
from tl_keras.sources import FixedBatches, TrainingBatches
from tl_keras.tasks.multiclass import choose_mixture, solve_probe
from tl_keras.tasks.multiclass.pairing import paired_comparison, paired_counts
from tl_keras.tasks.multiclass.rejecting import (
    measure_rejection,
    reject_below,
    rejection_words,
)
from tl_keras.training import Objective

SIDES = ("tf-idf", "frozen", "tuned", "default")
SURE = 0.05  # of a p-value, as `jobs.final_fit` has it
# Classes kept back, and the share of the others that may be refused.
NONE, REJECTED = 10, 0.05


def tune(data: Material, places, count: int, options, seed: int):
    """After the last two blocks were tuned: logits of two splits.

    Returns:
        Of the texts that validate, (n, classes), and of the test's.
    """
    keras.utils.set_random_seed(seed)
    validates = validating(len(places), count)
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
    return [
        np.concatenate([model.predict_on_batch(ids) for ids in texts.once(64)])
        for texts in (data.train.take(places[validates]), data.test)
    ]


def validating(texts: int, count: int) -> np.ndarray:
    """Which of the drawn texts validate: one of six of each class."""
    return np.arange(texts) % count < max(1, round(count / 6))


def sides(
    data: Material, count: int, options, seed: int, cache: Cache
) -> dict[str, float]:
    """Test accuracy of each side, for one draw."""
    places = draw(data.train.labels, count, seed)
    labels, truth = data.train.labels[places], data.test.labels
    texts = [data.train.examples.encoded[i].decode() for i in places]
    asked = [text.decode() for text in data.test.examples.encoded]
    began = time.perf_counter()
    head = solve_beside(
        texts, data.features[places], labels, seed=seed,
        name_vectors=data.name_features,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    outputs = {
        "tf-idf": head.baseline.outputs(asked),
        "frozen": head.probe.outputs(data.test_features),
        "default": head.outputs(asked, data.test_features),
    }
    words = f"{' + '.join(head.choice.kept.names)} in {seconds:.1f} s"
    if options.epochs:
        validation, outputs["tuned"] = cache.get(
            f"{data.name} {count} {seed} tuned {options.epochs} "
            f"{options.learning_rate} {options.max_tokens}",
            lambda: tune(data, places, count, options, seed),
        )
        weighed = tuned_beside(
            data, places, count, validation, outputs["tuned"], asked
        )
        if weighed is not None:
            outputs["default"], words = weighed, "tuned, with TF-IDF"
    found = {
        side: float((outputs[side].argmax(axis=1) == truth).mean())
        for side in SIDES
        if side in outputs
    }
    told = ", ".join(f"{side} {right:.3f}" for side, right in found.items())
    print(f"  {count} a class, draw {seed}: {told} ({words})", flush=True)
    return found


def tuned_beside(
    data: Material, places, count: int, validation, tested, asked
) -> np.ndarray | None:
    """The tuned network with TF-IDF, if it is surely better than the rest.

    Args:
        data: of the draw.
        places: of its texts, `count` of each class.
        validation, tested: the network's logits for what validates and for
            the test.
        asked: the test's texts.

    Returns:
        Logits (n, classes), or None.
    """
    held = validating(len(places), count)
    texts = [data.train.examples.encoded[i].decode() for i in places]
    labels, vectors = data.train.labels[places], data.features[places]
    seen = [text for text, out in zip(texts, held, strict=True) if not out]
    new = [text for text, out in zip(texts, held, strict=True) if out]
    rest = solve_beside(
        seen, vectors[~held], labels[~held], name_vectors=data.name_features
    )
    words = rest.baseline.outputs(new)
    choice = choose_mixture(
        {"tuned": validation, "tf-idf": words}, labels[held]
    )
    counts = paired_counts(
        labels[held],
        rest.outputs(new, vectors[held]).argmax(axis=1),
        choice.kept.of({"tuned": validation, "tf-idf": words}).argmax(axis=1),
    )
    compared = paired_comparison(counts)
    if compared["difference"] <= 0 or compared["p_value"] > SURE:
        return None
    baseline = fit_tfidf(texts, labels)
    return choice.kept.of({"tuned": tested, "tf-idf": baseline.outputs(asked)})


def refused(data: Material, count: int, seed: int) -> dict:
    """What a threshold from the folds does to texts of classes kept back.

    Args:
        data: the last `NONE` of its classes are of none.
        count: texts a class to learn from.
        seed: of the draw.

    Returns:
        As `measure_rejection`.
    """
    known = len(data.class_names) - NONE
    places = draw(data.train.labels, count, seed)
    places = places[data.train.labels[places] < known]
    labels = data.train.labels[places]
    probe = solve_probe(data.features[places], labels)
    least = reject_below(probe.out_of_fold, REJECTED)
    answers = scipy.special.softmax(probe.outputs(data.test_features), axis=1)
    has_class = data.test.labels < known
    return measure_rejection(
        answers[has_class],
        data.test.labels[has_class],
        answers[~has_class],
        least,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="the encoder's folder")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--only", default="", help="one of the data sets")
    parser.add_argument("--labels", type=int, nargs="*", help="a class")
    parser.add_argument("--max_tokens", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=4, help="0: not tuned")
    parser.add_argument("--learning_rate", type=float, default=1e-4)
    parser.add_argument("--cache", default="", help="a folder, kept")
    options = parser.parse_args()
    cache = Cache(options.cache)
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
    for data in load(shared, encoder, decoding, cache):
        if data.name not in (options.only or data.name):
            continue
        for count in options.labels or counts[data.name]:
            draws = [
                sides(data, count, options, seed, cache)
                for seed in range(options.draws)
            ]
            means = ", ".join(
                f"{side} {statistics.mean(d[side] for d in draws):.3f}"
                for side in SIDES
                if side in draws[0]
            )
            print(f"{data.name}, {count} a class: {means}", flush=True)
        if len(data.class_names) > 2 * NONE:
            for seed in range(options.draws):
                words = rejection_words(
                    refused(data, counts[data.name][-1], seed)
                )
                print(f"  {NONE} classes kept back, draw {seed}: {words}")


if __name__ == "__main__":
    main()
