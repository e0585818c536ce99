"""What travels with an export: warm-up requests, and files to serve it with."""

import base64
import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import keras
import numpy as np
import pytest
import tensorflow as tf

from tl_keras.errors import NotPublishedError
from tl_keras.exports import extras, inspect_export, publish
from tl_keras.inputs.image import pixels
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.networks import build_classifier, probabilities_model
from tl_keras.serving.server_files import ServerPlan, write_server_files
from tl_keras.versions import read_stored_columns, read_stored_kind

GOLDEN = {"sample": Decoding(20).sample()}


@pytest.fixture
def model(tiny_network):
    keras.utils.set_random_seed(0)
    return build_classifier(str(tiny_network), 3)


def test_warm_up_requests_are_written_and_replayed(model, tmp_path):
    pytest.importorskip("tensorflow_serving", reason="extra `serving`")
    from tensorflow_serving.apis import prediction_log_pb2

    folder, passed, _ = publish(
        model, tmp_path, class_names=["a", "b", "c"], golden=GOLDEN,
        columns=["title", "body"],
    )  # fmt: skip
    # In the manifest too, or it would be refused.
    assert inspect_export(folder).labels == ("a", "b", "c")
    assert read_stored_columns(folder) == ("title", "body")
    assert read_stored_kind(folder) == "image"
    file = folder / "assets.extra" / "tf_serving_warmup_requests"
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(str(file))
    ]
    assert passed.warm_ups == len(logs) == 2
    requests = [log.predict_log.request for log in logs]
    assert [r.model_spec.signature_name for r in requests] == [
        "serving_default", "serving_default",
    ]  # fmt: skip
    assert [len(r.inputs["image_bytes"].string_val) for r in requests] == [1, 8]


def test_a_warm_up_that_fails_is_not_published(model, tmp_path, monkeypatch):
    """It would keep a server from loading the version."""
    pytest.importorskip("tensorflow_serving", reason="extra `serving`")
    write = extras._write_warm_up

    def write_another(file, decoding):
        write(file, decoding)
        data = file.read_bytes()
        with tf.io.TFRecordWriter(str(file)) as writer:
            writer.write(b"\xff\xff no PredictionLog")
        assert file.read_bytes() != data

    monkeypatch.setattr(extras, "_write_warm_up", write_another)
    with pytest.raises(NotPublishedError, match="session loader cannot load"):
        publish(model, tmp_path, class_names=["a", "b", "c"], golden=GOLDEN)
    assert os.listdir(tmp_path) == []


@pytest.fixture
def files(model, tmp_path):
    folder = tmp_path / "serving"
    write_server_files(folder, ServerPlan("flowers", model, Decoding(16)))
    return folder


def test_the_files_name_the_model_and_keep_to_this_machine(files):
    compose = (files / "docker-compose.yml").read_text()
    for line in (
        '- "127.0.0.1:8501:8501"', '- "127.0.0.1:8500:8500"',
        "- ../..:/models/flowers:ro", 'user: "65534:65534"',
        "read_only: true", "mem_limit: 3g", "- no-new-privileges:true",
    ):  # fmt: skip
        assert f" {line}\n" in compose
    assert (
        'base_path: "/models/flowers"' in (files / "models.config").read_text()
    )
    batching = (files / "batching.config").read_text()
    sizes = [
        int(line.split(": ")[1])
        for line in batching.splitlines()
        if line.startswith("allowed")
    ]
    # The server refuses a list whose last is not the largest batch.
    assert f"max_batch_size {{ value: {sizes[-1]} }}" in batching
    assert sizes == sorted(sizes)


def test_the_model_config_is_one(files):
    pytest.importorskip("tensorflow_serving", reason="extra `serving`")
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = text_format.Parse(
        (files / "models.config").read_text(),
        model_server_config_pb2.ModelServerConfig(),
    )
    assert config.model_config_list.config[0].name == "flowers"


@pytest.mark.parametrize("spoil", ["", "score", "status"])
def test_the_smoke_script_compares(spoil, files, model):
    """Against a stand-in for the server that answers with the model."""

    class Server(BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.path == "/v1/models/flowers:predict"
            size = int(self.headers["Content-Length"])
            (given,) = json.loads(self.rfile.read(size))["instances"]
            picture = pixels.load(base64.b64decode(given["b64"]), 16)
            answer = probabilities_model(model)(
                np.float32(picture)[None], training=False
            )
            scores = -np.sort(-np.array(answer)[0])
            scores[0] += 0.01 * (spoil == "score")
            row = {
                "scores": [float(s) for s in scores],
                "status": "no" if spoil == "status" else "",
            }
            body = json.dumps({"predictions": [row]}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    ran = subprocess.run(
        [files / "smoke.sh"], capture_output=True, text=True,
        env={**os.environ, "URL": url, "no_proxy": "127.0.0.1"},
    )  # fmt: skip
    server.shutdown()
    assert (ran.returncode == 0) == (not spoil), ran.stderr
    assert ("largest difference" in ran.stdout) == (spoil != "status")
