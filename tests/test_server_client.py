"""server_client: against the double, which follows the server's source."""

import base64
import http.client
import json
import runpy
import shutil
import ssl
import subprocess
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
import tensorflow as tf
from conftest import write_picture
from documents import python_blocks, shell_lines
from pictures import animated_webp

from tl_keras import predict
from tl_keras.errors import ConfigError, DataError, MachineError
from tl_keras.serving.server_client import Client, Rest, client, connect

pytest.importorskip("tensorflow_serving", reason="extra `serving`")

from serving_double import Double

NAME = "flowers"


@pytest.fixture(scope="module")
def double(tiny_export, tmp_path_factory):
    """Serves two versions; the second is a copy of the first."""
    base = tmp_path_factory.mktemp("served") / NAME
    shutil.copytree(tiny_export / "1", base / "3")
    shutil.copytree(tiny_export / "1", base / "12")
    (base / "run").mkdir()
    with Double(base, NAME) as served:
        yield served


@pytest.fixture(autouse=True)
def as_new(double, monkeypatch):
    """No test leaves its faults to the next, and none waits."""
    double.busy, double.delay, double.max_batch_size = 0, 0.0, 0
    double.busy_code, double.state, double.asked = (
        "UNAVAILABLE",
        "AVAILABLE",
        [],
    )
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0, 0.0, 0.0))


@pytest.fixture(params=["rest", "grpc"])
def address(request, double) -> str:
    return getattr(double, request.param)


@pytest.fixture(scope="module")
def encoded(tmp_path_factory) -> list[bytes]:
    root = tmp_path_factory.mktemp("photos")
    for number in range(6):
        write_picture(root / f"{number}.jpg", number, number % 3)
    return [file.read_bytes() for file in sorted(root.iterdir())]


def test_answers_are_the_exports(address, double, encoded, tiny_export):
    server = connect(address, NAME)
    assert server.version == 12
    found = server.ask([*encoded, b"nothing"])
    assert found[-1] == ((), (), "unknown format")
    serve = tf.saved_model.load(tiny_export / "1").signatures
    told = serve["serving_default"](image_bytes=tf.constant(encoded))
    for row, answer in enumerate(found[:-1]):
        names = [name.decode() for name in told["classes"][row].numpy()]
        assert list(answer.labels) == names
        np.testing.assert_allclose(
            answer.scores, told["scores"][row], atol=1e-6
        )
    assert double.asked == [7]


def test_both_ways_give_the_same_numbers(double, encoded):
    answers = [
        connect(address, NAME).ask(encoded)
        for address in (double.rest, double.grpc)
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_a_busy_server_is_asked_again(code, address, double, encoded):
    server = connect(address, NAME)
    double.busy, double.busy_code = 4, code
    assert len(server.ask(encoded)) == 6
    assert double.asked == [6] * 5
    double.busy = 5
    with pytest.raises(MachineError, match="no answer in 5 tries") as told:
        server.ask(encoded)
    assert "queue" in str(told.value)
    assert len(told.value.faults) == 1


def test_pauses_grow_and_are_waited_for():
    waited = []

    class Busy:
        address = "http://x:1"

        def versions(self):
            raise client.Busy("HTTP 503: no")

    with pytest.raises(MachineError, match=r"in 5 tries \(HTTP 503: no"):
        Client(Busy(), waited.append)
    assert waited == list(client.PAUSES)


def test_a_batch_that_is_too_large_is_halved(address, double, encoded):
    server = connect(address, NAME)
    double.max_batch_size = 2
    assert len(server.ask(encoded)) == 6
    assert double.asked == [6, 3, *[1] * 6]
    double.asked.clear()
    server.ask(encoded)  # It remembers.
    assert double.asked == [1] * 6


def test_without_its_package_grpc_is_one_line(monkeypatch):
    for name in list(sys.modules):
        if name == "grpc" or name.startswith(("grpc.", "tensorflow_serving")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(
        sys.modules, "tl_keras.serving.server_client.rpc", False
    )
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(ConfigError) as told:
        connect("grpc://127.0.0.1:9", NAME)
    (line,) = told.value.faults
    assert "install tl-keras[serving], or use http://" in line


def test_requests_stay_below_the_default_limit_of_grpc():
    large = [b"x" * 1_500_000] * 5 + [b"y" * 5_000_000] + [b"z"]
    counts = []
    while large:
        counts.append(client.first_piece(large, most=100))
        large = large[counts[-1] :]
    assert counts == [2, 2, 1, 1, 1]
    assert client.first_piece([b"a"] * 5, most=2) == 2
    assert client.first_piece([b"a"], most=2) == 1


def test_a_server_that_does_not_answer_in_time(address, double, encoded):
    server = connect(address, NAME, timeout=0.05)
    double.delay = 0.4
    with pytest.raises(MachineError, match="no answer in 5 tries"):
        server.ask(encoded[:1])


def test_no_such_model_or_server(address, double):
    with pytest.raises(ConfigError, match="has no such model"):
        connect(address, "roses")
    nowhere = address.rsplit(":", 1)[0] + ":9"
    with pytest.raises(MachineError, match="is it running there"):
        connect(nowhere, NAME)


def test_a_model_that_is_still_loading(address, double):
    double.state = "LOADING"
    with pytest.raises(MachineError, match="no version of the model is ready"):
        connect(address, NAME)


def test_a_version_that_is_gone(address, double, encoded):
    server = connect(address, NAME)
    server.version = 4
    with pytest.raises(MachineError, match="Servable not found"):
        server.ask(encoded)


ANSWERS = {
    "no JSON": (200, b"<html>"),
    "nested without end": (200, b"[" * 200_000),
    "no list": (200, b'{"predictions": 3}'),
    "too few": (200, b'{"predictions": []}'),
    "another model": (200, b'{"predictions": [[0.1, 0.9]]}'),
    "status that is no text": (
        200, b'{"predictions": [{"classes": [], "scores": [], "status": 1}]}',
    ),
    "error": (400, b'{"error": "no\\n such\\u0007 signature"}'),
    "forbidden": (403, b"go away"),
    "internal": (500, b""),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
def test_a_strange_answer_is_one_line(case):
    code, body = ANSWERS[case]
    rest = Rest(strange(code, body), NAME, timeout=5)
    with pytest.raises(MachineError) as told:
        rest.ask(1, [b"x"])
    (line,) = told.value.faults
    assert len(line.splitlines()) == 1
    assert len(line) < 500
    assert line.startswith("--server=http://127.0.0.1:")


def strange(code: int, body: bytes) -> str:
    """The address of a server that always says the same."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def sending_on(location: str, asked: list, context=None) -> str:
    """The address of a server that has moved elsewhere, so it says."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(dict(self.headers))
            self.send_response(307)
            self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    scheme = "https" if context is not None else "http"
    return f"{scheme}://127.0.0.1:{server.server_port}"


def test_pictures_follow_no_redirection():
    elsewhere, asked = [], []
    there = sending_on("/", elsewhere)
    rest = Rest(sending_on(f"{there}/v1", asked), NAME, timeout=5)
    with pytest.raises(MachineError, match=r"sends on to http://127\.0\.0\.1"):
        rest.ask(1, [b"x"])
    assert (len(asked), elsewhere) == (1, [])


def test_pictures_go_through_no_proxy_and_with_no_password(
    monkeypatch, tmp_path
):
    proxied, asked = [], []
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, sending_on("/", proxied))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    rest = Rest(sending_on("/", asked), NAME, timeout=5)
    with pytest.raises(MachineError, match="sends on to"):
        rest.ask(1, [b"x"])
    assert (len(asked), proxied) == (1, [])
    assert "Authorization" not in asked[0]


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes a certificate")
@pytest.mark.parametrize("known", [True, False])
def test_a_certificate_of_ones_own_is_the_systems_matter(
    known, monkeypatch, tmp_path
):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
         key, "-out", certificate, "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    address = sending_on("/", asked := [], context)
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    rest = Rest(address, NAME, timeout=5)
    expected, words = (
        (MachineError, "sends on to")
        if known
        else (client.Busy, "CERTIFICATE_VERIFY_FAILED")
    )
    with pytest.raises(expected, match=words):
        rest.ask(1, [b"x"])
    assert len(asked) == known


def test_why_nobody_answers_is_said_in_few_words():
    rest = Rest("http://127.0.0.1:9", NAME, timeout=5)
    with pytest.raises(
        client.Busy, match=r"^\[Errno \d+\] Connection refused$"
    ):
        rest.versions()


def test_a_picture_larger_than_the_server_takes_is_a_row():
    rest = Rest(strange(413, b"too large"), NAME, timeout=5)
    rest.versions = lambda: [1]
    (answer,) = Client(rest).ask([b"x" * 2_000_000])
    assert answer.status == "2.0 MB, larger than the server takes (too large)"


def test_the_command_asks_a_server(address, double, encoded, tmp_path, capsys):
    root = tmp_path / "photos"
    root.mkdir()
    for number, content in enumerate(encoded):
        (root / f"{number}.jpg").write_bytes(content)
    (root / "moving.webp").write_bytes(animated_webp())
    (root / "bad.jpg").write_bytes(b"<html>")
    arguments = [
        f"--server={address}", f"--model_name={NAME}", f"--input={root}",
        f"--output_dir={tmp_path / 'out'}",
    ]  # fmt: skip
    assert predict.main(arguments) == 0
    assert f"{NAME} version 12 at {address}" in capsys.readouterr().out
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    rows = {row["id"]: row for row in map(json.loads, lines)}
    assert [row["id"] for row in rows.values() if row["status"] != "ok"] == [
        "bad.jpg"
    ]
    assert "HTML page" in rows["bad.jpg"]["reason"]
    assert len(rows) == 8


# The double: bodies and codes that the server's source gives.


def call(double, method: str, path: str, body=None) -> tuple[int, dict]:
    parts = urllib.parse.urlsplit(double.rest)
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    text = body if isinstance(body, (str, type(None))) else json.dumps(body)
    connection.request(method, path, text)
    answer = connection.getresponse()
    content = answer.read()
    return answer.status, json.loads(content) if content else {}


def b64(content: bytes) -> dict:
    return {"b64": base64.b64encode(content).decode()}


PREDICT = f"/v1/models/{NAME}:predict"
REFUSED = {
    "": (400, "JSON Parse error: The document is empty"),
    "{": (400, "JSON Parse error: "),
    "[]": (400, "Is not object"),
    "{}": (400, "Missing 'inputs' or 'instances' key"),
    '{"instances": [], "inputs": []}': (400, "expecting only one of"),
    '{"instances": 1}': (400, "Excepting 'instances' to be an list/array"),
    '{"instances": []}': (400, "No values in 'instances' array"),
    '{"instances": [{"b64": "?"}]}': (400, "Unable to base64 decode"),
    '{"instances": [{"x": "y"}]}': (400, "does not have named input: x"),
    '{"instances": [1]}': (400, "Type: Number is not of expected type: string"),
    '{"instances": ["a", ["b"]]}': (400, "Expecting shape () but got: (1,)"),
    '{"inputs": {"x": ["a"]}}': (400, "Missing named input: image_bytes"),
    '{"signature_name": 3, "inputs": ["a"]}': (400, "must be a string value"),
    '{"signature_name": "x", "inputs": ["a"]}': (
        400, 'Serving signature name: "x" not found in signature def',
    ),
}  # fmt: skip


@pytest.mark.parametrize("body", REFUSED)
def test_the_double_refuses_as_the_server_does(body, double):
    code, words = REFUSED[body]
    status, answer = call(double, "POST", PREDICT, body)
    assert status == code
    assert words in answer["error"]


def test_the_double_answers_rows_and_columns(double, encoded):
    row = {"instances": [b64(encoded[0]), b64(encoded[1])]}
    status, rows = call(double, "POST", PREDICT, row)
    named = {"instances": [{"image_bytes": b64(e)} for e in encoded[:2]]}
    assert (status, rows) == call(double, "POST", PREDICT, named)
    columns = {"inputs": {"image_bytes": [b64(e) for e in encoded[:2]]}}
    place = PREDICT.replace("predict", "PREDICT")
    _, answer = call(double, "POST", place, columns)
    for name, column in answer["outputs"].items():
        assert [r[name] for r in rows["predictions"]] == column
    pixels = np.zeros((1, 16, 16, 3)).tolist()
    floats = {"signature_name": "serving_float", "instances": pixels}
    status, answer = call(double, "POST", PREDICT, floats)
    assert status == 200
    assert set(answer["predictions"][0]) == {
        "probabilities", "classes", "scores",
    }  # fmt: skip


def test_the_double_tells_status_and_metadata(double):
    place = f"/v1/models/{NAME}"
    status, answer = call(double, "GET", place)
    assert [e["version"] for e in answer["model_version_status"]] == ["12", "3"]
    assert call(double, "GET", "/v1/models/x")[0] == 404
    assert call(double, "GET", f"{place}/versions/4")[0] == 404
    assert call(double, "GET", f"{place}:predict")[0] == 400
    assert call(double, "GET", "/elsewhere")[0] == 404
    _, answer = call(double, "GET", f"{place}/metadata")
    assert answer["model_spec"]["version"] == "12"
    signature = answer["metadata"]["signature_def"]["signature_def"]
    assert signature["serving_default"]["inputs"]["image_bytes"]["dtype"] == (
        "DT_STRING"
    )
    missing = f"{place}/versions/4:predict"
    status, answer = call(double, "POST", missing, '{"inputs": ["a"]}')
    assert (status, answer["error"]) == (
        404, f"Servable not found for request: Specific({NAME}, 4)",
    )  # fmt: skip


# README.md and docs/serving.md: their curl lines are run as they are printed.


def curl_lines() -> list[str]:
    """Of README with the model's name exchanged."""
    lines = shell_lines("README.md") + shell_lines("docs/serving.md")
    return [
        line.replace("/my_photos:", f"/{NAME}:")
        for line in lines
        if line.startswith("curl ")
    ]


def test_the_documents_show_how_to_ask():
    kinds = {line.rsplit("/", 1)[1] for line in curl_lines()}
    assert kinds == {NAME, "metadata", f"{NAME}:predict", f"{NAME}:classify"}
    assert len(curl_lines()) == 6


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("base64")),
    reason="curl or base64 is not installed",
)
@pytest.mark.parametrize("line", curl_lines())
def test_the_curl_lines_run_as_printed(line, double, tmp_path):
    for name in ("rose.jpg", "photo.jpg"):
        write_picture(tmp_path / name, 0, 1)
    assert "http://127.0.0.1:8501/" in line
    ran = subprocess.run(
        ["bash", "-c", line.replace("http://127.0.0.1:8501", double.rest)],
        cwd=tmp_path, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "no_proxy": "127.0.0.1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    names = {"blue_not", "green"}
    if line.endswith(":classify"):
        assert {label for label, _ in answer["results"][0]} == names
    elif line.endswith(":predict"):
        row = answer.get("predictions", [answer.get("outputs")])[0]
        assert names == set(np.ravel(row["classes"]))
        assert not "".join(np.ravel(row["status"]))
    else:
        assert set(answer) <= {
            "model_version_status", "model_spec", "metadata",
        }  # fmt: skip


def test_the_client_runs_as_printed(double, tmp_path, monkeypatch, capsys):
    write_picture(tmp_path / "rose.jpg", 0, 1)
    monkeypatch.chdir(tmp_path)
    (script,) = python_blocks("docs/serving.md")
    file = tmp_path / "script.py"
    file.write_text(script.replace("http://127.0.0.1:8501", double.rest))
    runpy.run_path(str(file))
    label, score, *status = capsys.readouterr().out.split()
    assert label in ("blue_not", "green")
    assert 0.5 <= float(score) <= 1
    assert status == []


# Pixels, by serving_float


def squares(count: int = 3, side: int = 16) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, side, side, 3)).astype(np.float32)


def test_pixels_are_answered_as_the_export_does(address, double, tiny_export):
    server = connect(address, NAME)
    found = server.ask_pixels(squares())
    serve = tf.saved_model.load(tiny_export / "1").signatures["serving_float"]
    told = serve(pixels=tf.constant(squares()))
    for row, answer in enumerate(found):
        names = [name.decode() for name in told["classes"][row].numpy()]
        assert list(answer.labels) == names
        assert answer.status == ""
        np.testing.assert_allclose(
            answer.scores, told["scores"][row], atol=1e-6
        )
    assert double.asked == [3]


@pytest.mark.parametrize("side", [8, 15, 17, 64])
def test_pixels_of_another_size_are_refused_before_they_are_sent(
    side, address, double
):
    server = connect(address, NAME)
    with pytest.raises(DataError) as told:
        server.ask_pixels(squares(2, side))
    assert str(told.value).startswith(
        "pixels: expected (n, 16, 16, 3), the size of version 12, received "
        f"(2, {side}, {side}, 3)"
    )
    assert double.asked == []


@pytest.mark.parametrize("side", [8, 15, 17, 64])
def test_the_server_refuses_pixels_of_another_size_too(side, address):
    """Another client may not ask for the size first."""
    way = connect(address, NAME)._transport
    with pytest.raises(MachineError) as told:
        way.ask_pixels(12, squares(2, side))
    assert f"[2,{side},{side},3]" in str(told.value)
    assert "[?,16,16,3]" in str(told.value)


def test_too_many_pixels_are_sent_in_pieces(address, double, monkeypatch):
    monkeypatch.setattr(client, "MAX_BYTES", 2 * squares(1).nbytes)
    assert len(connect(address, NAME).ask_pixels(squares(5))) == 5
    assert double.asked == [2, 2, 1]
