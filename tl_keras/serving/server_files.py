"""What a person needs to serve a run with Docker: five files in `run/serving/`.

    write_server_files(run_folder / "serving", "flowers", version, ...)

In: a published version. Out: `docker-compose.yml`, `models.config`,
`batching.config`, `request.json` and `smoke.sh`. They are made for each run
rather than shipped once, for they hold its name, its memory, and a picture with
the answer that the gate's model gives: `smoke.sh` compares a real server's.
"""

import base64
import json
import math
import os
import pathlib
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tl_keras import atomic
from tl_keras.exports.extras import WARM_UP_BATCHES
from tl_keras.exports.signatures import answering_model
from tl_keras.inputs.input import Input
from tl_keras.inputs.kinds import nouns
from tl_keras.tasks import stored_task
from tl_keras.tasks.task import Task

GIGABYTE = 1e9
SERVER_GIGABYTES = 1.0  # of the server itself
MODEL_COPIES = 2  # while a new version is loaded the old one still serves

COMPOSE = """\
# Serves this run's newest version on this machine alone. TensorFlow Serving has
# no authentication: before others may ask it, put a proxy that has in front.
#   docker compose up -d && ./smoke.sh
services:
  serving:
    # The server's TensorFlow should be {tensorflow} or newer, which exported.
    image: tensorflow/serving:${{TF_SERVING_TAG:-latest}}
    command:
      - --model_config_file=/config/models.config
      - --enable_batching
      - --batching_parameters_file=/config/batching.config
    ports:
      - "127.0.0.1:8501:8501"
      - "127.0.0.1:8500:8500"
    volumes:
      - ../..:/models/{name}:ro
      - .:/config:ro
    user: "65534:65534"
    read_only: true
    tmpfs:
      - /tmp
    cap_drop:
      - ALL
    security_opt:
      - no-new-privileges:true
    mem_limit: {memory}g
    pids_limit: 512
    restart: unless-stopped
"""
MODELS = """\
model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
  }}
}}
"""
BATCHING = """\
max_batch_size {{ value: {most} }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 100 }}
num_batch_threads {{ value: 2 }}
{allowed}
"""
SMOKE = """\
#!/bin/sh
# Asks a running server the {one} of request.json and compares its answer with
# the model's: {told}
set -eu
cd "$(dirname "$0")"
answer=$(curl --fail --silent --show-error --data @request.json \\
  "${{URL:-http://127.0.0.1:8501}}/v1/models/{name}:predict")
echo "$answer"
echo "$answer" | python3 -c '
import json, sys
expected = {scores}
(row,) = json.load(sys.stdin)["predictions"]
if row["status"]:
    sys.exit(row["status"])
worst = max(abs(a - b) for a, b in zip(row["{key}"], expected, strict=True))
print("largest difference from the model:", worst)
sys.exit(worst > 1e-4)
'
"""


class ServerPlan(NamedTuple):
    """What is served: its name, its model, how bytes become its inputs, and
    what it predicts (one class of several when None)."""

    name: str
    model: keras.Model
    decoding: Input
    task: Task | None = None


def write_server_files(folder: pathlib.Path, plan: ServerPlan) -> None:
    """Writes the five files; `folder` lies two levels below the base path.

    It may be there already, from a process that was killed.
    """
    folder.mkdir(exist_ok=True)
    sample = plan.decoding.sample()
    body = {"instances": [{"b64": base64.b64encode(sample).decode()}]}
    texts = {
        "docker-compose.yml": COMPOSE.format(
            name=plan.name,
            memory=memory_gigabytes(plan),
            tensorflow=tf.__version__,
        ),
        "models.config": MODELS.format(name=plan.name),
        "batching.config": BATCHING.format(
            most=max(WARM_UP_BATCHES),
            allowed="\n".join(
                f"allowed_batch_sizes: {size}" for size in WARM_UP_BATCHES
            ),
        ),
        "request.json": json.dumps(body) + "\n",
        "smoke.sh": _smoke(plan, sample),
    }
    for name, text in texts.items():
        with atomic.replacing(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    os.chmod(folder / "smoke.sh", 0o755)


def memory_gigabytes(plan: ServerPlan) -> int:
    """For the server, two versions, and the largest examples it decodes."""
    variables = sum(4 * np.prod(v.shape) for v in plan.model.variables)
    need = MODEL_COPIES * variables + plan.decoding.peak_bytes()
    return math.ceil(SERVER_GIGABYTES + need / GIGABYTE)


def _smoke(plan: ServerPlan, sample: bytes) -> str:
    """The script with the answers to the sample, as the model gives them."""
    task = plan.task or stored_task({})
    tensors, _ = plan.decoding.load_rows(tf.constant([sample]))
    answering = answering_model(plan.model, task)
    answers = answering(tensors, training=False)[task.answer]
    key, told, numbers = task.answer, task.answer, answers
    if task.classifies:
        names = tf.fill([plan.model.output_shape[-1]], "")
        key, told = "scores", "scores, best first,"
        numbers = task.served(answers, names)[key]
    scores = [round(float(score), 6) for score in numbers[0]]
    return SMOKE.format(
        name=plan.name,
        one=nouns(plan.decoding.kind)[0],
        key=key,
        told=f"{told} {scores}",
        scores=scores,
    )
