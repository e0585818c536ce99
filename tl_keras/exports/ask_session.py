"""A process of its own: asks an export through TensorFlow's session loader.

    python -I ask_session.py PLACES-AS-JSON BATCH

In: messages on standard input: a folder, then encoded examples. Out: in that
folder the answers to its questions, where it has some and the warm-up requests
could be replayed; and those of `serving_default` to the examples, asked BATCH
at a time.

It imports TensorFlow with Keras blocked, as a server has none: the graph alone
answers, nothing of Python that built it. It computes on the device of whoever
started it.
"""

import itertools
import json
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.modules["keras"] = None
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
sys.path += [p for p in json.loads(sys.argv[1]) if p not in sys.path]

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from asking import (  # noqa: E402
    SESSION_ANSWERS,
    Asked,
    messages,
    save_answers,
)

WARM_UP = pathlib.Path("assets.extra", "tf_serving_warmup_requests")


def main(_, batch) -> None:
    """Answers everything; any fault ends the process."""
    received = messages(sys.stdin.buffer)
    folder = next(received).decode()
    asked = Asked(folder)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph = tf.compat.v1.saved_model.loader.load(
            session, ["serve"], asked.export
        )
        # An earlier version, asked pictures alone, has been through it, and
        # to read it may need a package that is not here.
        warm_up = pathlib.Path(asked.export, WARM_UP)
        replayed = replay(session, graph, warm_up) if asked.of_session else 0
        given = [
            session.run(fetches, feeds)
            for feeds, fetches in asked.questions[: asked.of_session]
        ]
        default = graph.signature_def["serving_default"]
        (feed,) = (given.name for given in default.inputs.values())
        # All outputs, as in the questions: other fetches are another graph,
        # which would be optimised anew.
        fetches = {k: output.name for k, output in default.outputs.items()}
        streamed = [
            session.run(fetches, {feed: encoded})[asked.answer]
            for encoded in batches(received, int(batch))
        ]
    rows = np.concatenate(streamed) if streamed else np.zeros((0, 0))
    answers = os.path.join(folder, SESSION_ANSWERS)
    save_answers(answers, given, streamed=rows, replayed=np.array(replayed))


def batches(examples, size: int):
    """Lists of up to `size` of them."""
    while batch := list(itertools.islice(examples, size)):
        yield batch


def replay(session, graph, file: pathlib.Path) -> int:
    """Runs an export's warm-up requests; how many there were.

    A request that fails keeps a server from loading the version, so it may
    fail here.

    Args:
        session: a v1 session with the export loaded.
        graph: its MetaGraphDef.
        file: the warm-up, a TFRecord of PredictionLogs; there may be none.

    Returns:
        0 where there is no file.

    Raises:
        tf.errors.OpError: a request fails.
    """
    if not file.exists():
        return 0
    from tensorflow_serving.apis import prediction_log_pb2

    count = 0
    for record in tf.compat.v1.io.tf_record_iterator(str(file)):
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        given = {
            name: tf.make_ndarray(value)
            for name, value in request.inputs.items()
        }
        asked = graph.signature_def[request.model_spec.signature_name]
        session.run(
            [output.name for output in asked.outputs.values()],
            {asked.inputs[name].name: v for name, v in given.items()},
        )
        count += 1
    return count


if __name__ == "__main__":
    main(*sys.argv[1:])
