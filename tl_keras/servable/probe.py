"""Runs in a process of its own: loads an export and answers the questions.

    python -I probe.py FOLDER QUESTIONS.npz ANSWERS.npz PLACES-AS-JSON

It imports TensorFlow with Keras blocked, as a server has none, and uses the
session loader: the graph alone answers, nothing of Python that built it.
"""

import itertools
import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.modules["keras"] = None
sys.path += [p for p in json.loads(sys.argv[4]) if p not in sys.path]

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402


def main(folder: str, questions: str, answers: str, _: str) -> None:
    """Answers for all pictures, one at a time and all at once."""
    with np.load(questions) as arrays:
        bounds = np.cumsum([0, *arrays["sizes"]])
        data = arrays["data"].tobytes()
        pixels = arrays["pixels"].astype(np.float32)
    encoded = [data[a:b] for a, b in itertools.pairwise(bounds)]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        model = tf.compat.v1.saved_model.loader.load(session, ["serve"], folder)

        def ask(signature, name, value):
            definition = model.signature_def[signature]
            return session.run(
                definition.outputs["probabilities"].name,
                {definition.inputs[name].name: value},
            )

        together = {
            "serving_default": ask("serving_default", "image_bytes", encoded),
            "serving_float": ask("serving_float", "pixels", pixels),
        }
        alone = np.concatenate(
            [ask("serving_default", "image_bytes", [e]) for e in encoded]
        )
    np.savez(answers, **together, **{"serving_default one by one": alone})


if __name__ == "__main__":
    main(*sys.argv[1:])
