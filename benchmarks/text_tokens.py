"""Texts a second of the tokenizer in the graph, beside Hugging Face's in Rust.

    TL_KERAS_SHARED=FOLDER taskset -c 0 python -m benchmarks.text_tokens \
        --model=DIR --rounds=5

Both are given the same strings, cut to 32 tokens, with one thread each: the
messages and the questions of data/texts, of which they give the same ids. In
batches of 32, as a server has them, and of 1,024, as training does. Needs
`pip install tokenizers`.
"""

import argparse
import functools
import os
import pathlib
import sys

os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
os.environ["TF_NUM_INTEROP_THREADS"] = "1"
os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import tensorflow as tf

from benchmarks.rounds import compare, describe_machine
from tl_keras.data.texts import list_texts
from tl_keras.inputs.text import TextInput, read_vocabulary

TOKENS = 32
REACH = 0.3
FILES = ("sms_spam.csv", "banking77/train.csv", "banking77/test.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="the encoder's folder")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    import tokenizers

    shared = pathlib.Path(os.environ.get("TL_KERAS_SHARED", ""))
    files = [shared / "data" / "texts" / name for name in FILES]
    if not all(file.is_file() for file in files):
        sys.exit(f"TL_KERAS_SHARED={shared}: expected a folder with data/texts")
    describe_machine()
    texts = [
        text
        for file in files
        for examples in list_texts(str(file)).splits.values()
        for text in examples.encoded
    ]
    rust = tokenizers.Tokenizer.from_file(f"{options.model}/tokenizer.json")
    rust.enable_truncation(TOKENS)
    rust.enable_padding(length=TOKENS)
    decoding = TextInput(read_vocabulary(options.model), TOKENS)
    load = tf.function(lambda encoded: decoding.load_rows(encoded)[0])
    for size in (32, 1024):
        starts = range(0, len(texts), size)
        ours = [tf.constant(texts[i : i + size]) for i in starts]
        theirs = [[t.decode() for t in texts[i : i + size]] for i in starts]
        differ = sum(
            int((_padded(load(a)) != _ids(rust, b)).any(axis=1).sum())
            for a, b in zip(ours, theirs, strict=True)
        )
        compare(
            f"{len(texts):,} texts, {size} at once, {differ} with other ids",
            functools.partial(_pass, functools.partial(_ids, rust), theirs),
            {"in the graph": (functools.partial(_pass, load, ours), REACH)},
            rounds=options.rounds,
        )


def _ids(rust, batch: list[str]) -> np.ndarray:
    """int (b, TOKENS), padded."""
    return np.array([found.ids for found in rust.encode_batch(batch)])


def _padded(ids: tf.Tensor) -> np.ndarray:
    return np.pad(ids.numpy(), [(0, 0), (0, TOKENS - ids.shape[1])])


def _pass(tokenize, batches) -> dict:
    """All batches once."""
    for batch in batches:
        tokenize(batch)
    return {}


if __name__ == "__main__":
    main()
