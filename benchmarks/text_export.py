"""Texts a second of an export, on one core, beside ONNX Runtime.

    taskset -c 0 python -m benchmarks.text_export --model=DIR --rounds=5

Both run the same network with the same weights. The export is given strings,
which it tokenizes; ONNX Runtime is given the ids of 32 tokens a text, so that
its time holds no tokenizer. Each text is long enough to fill the 32. Needs the
extra `onnx`.
"""

import argparse
import os
import pathlib
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
os.environ["TF_NUM_INTEROP_THREADS"] = "1"

import numpy as np
import tensorflow as tf

from benchmarks.rounds import describe_machine
from tl_keras.exports import formats
from tl_keras.exports.saved_model import write
from tl_keras.inputs.text import TextInput, read_vocabulary
from tl_keras.networks.text import (
    build_text_classifier,
    for_any_length,
    load_text_encoder,
)

TEXT = (
    "My card has not arrived yet, and number {} told me that it would come "
    "within five working days; where is it, and when will it get here at last?"
)
CLASSES = 77


def rate(ask, batches) -> float:
    """Texts a second."""
    began = time.perf_counter()
    count = sum(len(ask(batch)) for batch in batches)
    return count / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="the encoder's folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--texts", type=int, default=512)
    options = parser.parse_args()
    import onnxruntime

    describe_machine()
    decoding = TextInput(read_vocabulary(options.model), 32)
    encoder = load_text_encoder(options.model, max_tokens=32)
    model = build_text_classifier(encoder, CLASSES)
    names = [f"class {number}" for number in range(CLASSES)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        write(for_any_length(model), folder / "export", names, decoding)
        served = tf.saved_model.load(str(folder / "export")).signatures
        (onnx,) = formats.formats_of(("onnx",))
        source = formats.Source(model, names, None, np.zeros((1, 32), np.int32))
        faults = onnx.write(source, [onnx], folder)
        if faults:
            raise SystemExit(faults)
        threads = onnxruntime.SessionOptions()
        threads.intra_op_num_threads = threads.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(folder / onnx.file, threads)
        compare(served["serving_default"], session, decoding, options)


def compare(serving, session, decoding: TextInput, options) -> None:
    """Both in turn, after one batch each that does not count."""
    texts = [TEXT.format(number).encode() for number in range(options.texts)]
    ids = decoding.tokenize(texts).ids.numpy()
    parts = range(0, len(texts), options.batch)
    strings = [tf.constant(texts[i : i + options.batch]) for i in parts]
    tokens = [ids[i : i + options.batch] for i in parts]

    def ours(batch):
        return serving(text=batch)["probabilities"].numpy()

    def theirs(batch):
        return session.run(None, {"token_ids": batch})[0]

    apart = np.abs(ours(strings[0]) - theirs(tokens[0])).max()
    print(f"largest difference of a probability: {apart:.1e}")
    ratios = []
    for number in range(options.rounds):
        here, there = rate(ours, strings), rate(theirs, tokens)
        ratios.append(here / there)
        print(
            f"round {number}: export {here:.0f} texts a second, ONNX Runtime "
            f"{there:.0f}, ratio {ratios[-1]:.2f}",
            flush=True,
        )
    print(
        f"ratio {min(ratios):.2f} / {statistics.median(ratios):.2f} / "
        f"{max(ratios):.2f}"
    )


if __name__ == "__main__":
    main()
