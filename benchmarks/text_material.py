"""Two data sets of texts for benchmarks, with an encoder's vectors of all.

In: a folder that holds data/texts: banking77 (77 intents, its own test split)
and SMS spam, of which 1,500 texts are kept for the test. Out: `Material`s, from
which so many texts a class are drawn.
"""

import dataclasses
import pathlib

import numpy as np

from tl_keras.baselines import class_words
from tl_keras.data.examples import Examples
from tl_keras.data.texts import list_texts
from tl_keras.sources import Texts

SMS_TEST = 1500


class Cache:
    """Arrays by name, computed once; in memory alone without a folder."""

    def __init__(self, folder: str):
        self.folder = pathlib.Path(folder) if folder else None

    def get(self, name: str, compute) -> list[np.ndarray]:
        if self.folder is None:
            return compute()
        file = self.folder / f"{name.replace(' ', '_')}.npz"
        if not file.exists():
            np.savez(self.folder / "part.npz", *compute())
            (self.folder / "part.npz").rename(file)
        return list(np.load(file).values())


@dataclasses.dataclass
class Material:
    """A data set, with the encoder's vectors of all its texts."""

    name: str
    train: Texts
    test: Texts
    class_names: tuple[str, ...]
    features: np.ndarray
    test_features: np.ndarray
    name_features: np.ndarray


def material(
    name, train: Examples, test: Examples, names, encoder, decoding, cache
):
    """Tokenizes and encodes all texts, once for all draws."""
    made = [Texts.of(examples, decoding) for examples in (train, test)]
    cut = len(made[0].cut()) / len(train)
    print(
        f"{name}: {len(train):,} texts to draw from, {len(test):,} to test "
        f"on, {cut:.1%} cut at {decoding.max_tokens} tokens",
        flush=True,
    )
    words = [class_words(name).encode() for name in names]
    vectors = cache.get(
        f"{name} vectors {decoding.max_tokens}",
        lambda: (
            [
                np.concatenate(
                    [encoder.predict_on_batch(ids) for ids in texts.once(64)]
                )
                for texts in made
            ]
            + [encoder.predict_on_batch(decoding.tokenize(words).ids)]
        ),
    )
    return Material(name, *made, names, *vectors)


def load(shared: pathlib.Path, encoder, decoding, cache) -> list[Material]:
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
            banking.class_names, encoder, decoding, cache,
        ),
        material(
            "SMS spam", rows.take(order[SMS_TEST:]),
            rows.take(order[:SMS_TEST]), sms.class_names, encoder, decoding,
            cache,
        ),
    ]  # fmt: skip


def draw(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Places of so many texts of each class, class by class."""
    order = np.random.default_rng(seed).permutation(len(labels))
    return np.concatenate(
        [order[labels[order] == label][:count] for label in np.unique(labels)]
    )
