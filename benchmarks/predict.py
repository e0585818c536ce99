"""Predicting a folder against the bare model on batches in memory.

    python -m benchmarks.predict --pictures=1000 --rounds=4
    python -m benchmarks.predict --alpha=0.35 --image_size=96

In: nothing; ordinary pictures (600 x 400, about 24 kB) are made in a temporary
folder, and MobileNetV2 with random weights is exported. Out: how our rate
compares. The peer loads the export once, with `tf.saved_model.load`, and calls
`serving_default` on batches of bytes that are in memory already. Ours walks
through the folder, reads, asks, and writes the parts, predictions.jsonl, .csv
and gallery.html. Neither counts the loading.
"""

import argparse
import os
import pathlib
import shutil
import tempfile

from benchmarks.check import make_pictures
from benchmarks.rounds import compare, describe_machine

BATCH = 32


def make_export(
    folder: pathlib.Path, golden: bytes, alpha: float, image_size: int
) -> None:
    """MobileNetV2 of 10 classes with random weights."""
    from tl_keras import build_classifier, export_saved_model

    export_saved_model(
        build_classifier(
            "MobileNetV2",
            10,
            weights="none",
            image_size=image_size,
            backbone_args={"alpha": alpha},
        ),
        folder,
        class_names=[f"class{number}" for number in range(10)],
        golden=[golden],
    )


def measure(root: pathlib.Path, arguments: argparse.Namespace) -> None:
    """Prints the ratio."""
    import tensorflow as tf

    from tl_keras.data import Unlabelled
    from tl_keras.exports import inspect_export
    from tl_keras.serving.inference import Loaded, Predictor, predict_examples

    files = sorted((root / "pictures").rglob("*.jpg"))
    make_export(
        root / "model",
        files[0].read_bytes(),
        arguments.alpha,
        arguments.image_size,
    )
    serve = tf.saved_model.load(str(root / "model" / "1"))
    serve = serve.signatures["serving_default"]
    held = [file.read_bytes() for file in files]
    batches = [
        tf.constant(held[start : start + BATCH])
        for start in range(0, len(held), BATCH)
    ]
    ask = Predictor(Loaded(inspect_export(root / "model")), top_k=5)
    serve(image_bytes=batches[0])
    ask(held[:BATCH])

    def bare():
        for batch in batches:
            serve(image_bytes=batch)["probabilities"].numpy()
        return {}

    def ours():
        out = root / "out"
        shutil.rmtree(out, ignore_errors=True)
        done = predict_examples(
            ask,
            Unlabelled(str(root / "pictures")),
            out,
            known_as={"model": "benchmark"},
            batch_size=BATCH,
        )
        return {"predicted": done.predicted}

    compare(
        f"{len(held):,} pictures through MobileNetV2",
        bare,
        {"a folder, predicted": (ours, 0.9)},
        rounds=arguments.rounds,
    )


def main() -> None:
    """Makes the pictures and the model, measures, takes them away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--image_size", type=int, default=224)
    arguments = parser.parse_args()
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with tempfile.TemporaryDirectory(prefix="tl_keras_predict_") as temporary:
        root = pathlib.Path(temporary)
        make_pictures(root / "pictures", arguments.pictures)
        describe_machine()
        measure(root, arguments)


if __name__ == "__main__":
    main()
