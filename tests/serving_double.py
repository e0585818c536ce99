"""A stand-in for TensorFlow Serving: REST and gRPC over its own loader.

    with Double("saved_models/flowers", "flowers") as double:
        double.rest, double.grpc        # "http://127.0.0.1:PORT", "grpc://..."

    python tests/serving_double.py saved_models/flowers flowers 8501 8500

The versions of a base path are loaded through the C++ loader that the server
links (`tl_keras/exports/ask_c.py`). What is said over the wire follows the
server's source: http_rest_api_handler.cc, http_rest_api_util.cc,
json_tensor.cc, http_server.cc, predict_util.cc, get_model_status_impl.cc. Of
types it knows the two that our exports have, strings and floats.
"""

import base64
import binascii
import importlib
import json
import pathlib
import re
import sys
import threading
import time
import urllib.parse
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

import tl_keras.exports
from tl_keras.exports.graph import parse_graph

HERE = pathlib.Path(tl_keras.exports.__file__).parent
FLOAT, STRING = tf.float32.as_datatype_enum, tf.string.as_datatype_enum
TYPES = {FLOAT: "float", STRING: "string"}
HTTP_CODES = {
    "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429, "INTERNAL": 500, "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}  # fmt: skip
PREDICTION = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
    r":(classify|regress|predict)",
    re.IGNORECASE,
)
STATUS = re.compile(
    r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+)|/labels/([^/:]+))?"
    r"(?:/(metadata))?",
    re.IGNORECASE,
)
EXAMPLE_KEY = "image/encoded"


def loader():
    """ask_c.py as a module; it is written to be a process of its own."""
    kept = sys.argv, list(sys.path)
    sys.argv = ["ask_c.py", "[]"]
    sys.path.insert(0, str(HERE))
    try:
        return importlib.import_module("ask_c")
    finally:
        sys.argv, sys.path[:] = kept


class Refused(Exception):
    """A status that is not OK: its code's name, and the message."""

    def __init__(self, code: str, message: str):
        self.code = code
        super().__init__(message)


def invalid(message: str) -> Refused:
    return Refused("INVALID_ARGUMENT", message)


class Double:
    """Serves the versions of a base path under a name, at free ports.

    Attributes:
        busy: so many predict requests more are refused, with `busy_code`.
        delay: seconds before an answer.
        max_batch_size: as of the server's batching; 0 for none.
        asked: how many pictures each request held.
        state: of all versions, such as "LOADING".
    """

    def __init__(self, base, name: str, ports=(0, 0)):
        self.name = name
        self.busy, self.busy_code, self.delay = 0, "UNAVAILABLE", 0.0
        self.max_batch_size, self.asked, self.state = 0, [], "AVAILABLE"
        self._lock = threading.Lock()
        c = loader()
        self.versions = {
            int(folder.name): (parse_graph(folder), c.Loaded(str(folder)))
            for folder in pathlib.Path(base).iterdir()
            if folder.name.isdecimal()
        }
        self._http = ThreadingHTTPServer(
            ("127.0.0.1", ports[0]), _handler(self)
        )
        self._grpc, port = _grpc_server(self, ports[1])
        self.rest = f"http://127.0.0.1:{self._http.server_port}"
        self.grpc = f"grpc://127.0.0.1:{port}"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self._grpc.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(0)

    def find(self, name: str, version: int | None, label: str = ""):
        """A version's number, graph and session."""
        if label:
            raise invalid(f"Unrecognized servable version label: {label}")
        wanted = max(self.versions) if version is None else version
        if name != self.name or wanted not in self.versions:
            asked = f"Specific({name}, {version})"
            asked = f"Latest({name})" if version is None else asked
            raise Refused(
                "NOT_FOUND", f"Servable not found for request: {asked}"
            )
        return wanted, *self.versions[wanted]

    def run(self, session, signature, inputs: dict, outputs) -> dict:
        """Runs a signature; its batching is that of one session."""
        count = len(next(iter(inputs.values())))
        self.asked.append(count)
        if self.busy:
            self.busy -= 1
            raise Refused(
                self.busy_code,
                "The batch scheduling queue to which this task was submitted "
                "is full",
            )
        time.sleep(self.delay)
        if 0 < self.max_batch_size < count:
            raise invalid(
                f"Task size {count} is larger than maximum input batch size "
                f"{self.max_batch_size}"
            )
        feeds = {signature.inputs[n].name: v for n, v in inputs.items()}
        fetches = {n: signature.outputs[n].name for n in outputs}
        with self._lock:
            try:
                return session.ask(feeds, fetches)
            except RuntimeError as error:
                raise invalid(str(error)) from None

    def status(self, name: str, version: int | None) -> dict:
        """As GetModelStatusResponse."""
        if name != self.name:
            raise Refused(
                "NOT_FOUND", f"Could not find any versions of model {name}"
            )
        if version is not None and version not in self.versions:
            raise Refused(
                "NOT_FOUND",
                f"Could not find version {version} of model {name}",
            )
        wanted = sorted(self.versions) if version is None else [version]
        good = {"error_code": "OK", "error_message": ""}
        return {
            "model_version_status": [
                {"version": str(n), "state": self.state, "status": good}
                for n in wanted[::-1]
            ]
        }


# REST.


def _handler(double: Double):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self._answer("GET", "")

        def do_POST(self):
            size = int(self.headers.get("Content-Length", 0))
            self._answer("POST", self.rfile.read(size).decode("latin-1"))

        def _answer(self, method, body):
            path = urllib.parse.urlsplit(self.path).path
            if not path.lower().startswith("/v1/"):
                self._send(404, b"")
                return
            try:
                value, code = rest(double, method, path, body), 200
            except Refused as refusal:
                value, code = {"error": str(refusal)}, HTTP_CODES[refusal.code]
            self._send(code, json.dumps(value, indent=4).encode())

        def _send(self, code, content):
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    return Handler


def rest(double: Double, method: str, path: str, body: str) -> dict:
    """What a request is answered."""
    pattern = PREDICTION if method == "POST" else STATUS
    found = pattern.fullmatch(path)
    if not found:
        raise invalid(f"Malformed request: {method} {path}")
    name, number, label, rest_of_it = found.groups()
    name = urllib.parse.unquote(name or "")
    version = int(number) if number else None
    if method == "POST":
        kind = {"predict": _predict, "classify": _classify}
        if rest_of_it.lower() not in kind:
            raise invalid("Regress is not answered here")
        return kind[rest_of_it.lower()](double, name, version, label, body)
    if not name:
        raise invalid("Missing model name in request.")
    if rest_of_it:
        return _metadata(double, name, version, label)
    return double.status(name, version)


def _metadata(double, name, version, label) -> dict:
    from tensorflow_serving.apis import get_model_metadata_pb2

    number, graph, _ = double.find(name, version, label)
    kinds = get_model_metadata_pb2.SignatureDefMap()
    for key, value in graph.signature_def.items():
        kinds.signature_def[key].CopyFrom(value)
    printed = json_format.MessageToDict(
        kinds,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
    spec = {"name": name, "signature_name": "", "version": str(number)}
    return {"model_spec": spec, "metadata": {"signature_def": printed}}


def _parsed(body: str) -> dict:
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        # Bytes that are no UTF-8 are refused by the server's reader too.
        document = json.loads(body.encode("latin-1"))
    except ValueError as error:
        at = getattr(error, "pos", 0)
        raise invalid(
            f"JSON Parse error: Invalid value. at offset: {at}"
        ) from None
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {body} Is not object")
    if not isinstance(document.get("signature_name", ""), str):
        raise invalid(
            f"JSON Value: {body} not formatted correctly. 'signature_name' key "
            "must be a string value."
        )
    return document


def _predict(double, name, version, label, body) -> dict:
    document = _parsed(body)
    _, graph, session = double.find(name, version, label)
    key = document.get("signature_name") or "serving_default"
    if key not in graph.signature_def:
        raise invalid(
            f'Serving signature name: "{key}" not found in signature def'
        )
    signature = graph.signature_def[key]
    kinds = {n: info.dtype for n, info in signature.inputs.items()}
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {body} Not formatted correctly expecting only one of "
            "'inputs' or 'instances' keys to exist "
        )
    if "instances" in document:
        inputs = _rows(document["instances"], kinds, body)
    elif "inputs" in document:
        inputs = _columns(document["inputs"], kinds)
    else:
        raise invalid("Missing 'inputs' or 'instances' key")
    outputs = double.run(session, signature, inputs, list(signature.outputs))
    if "instances" in document:
        return {"predictions": _as_rows(outputs)}
    columns = {n: _plain(n, value) for n, value in sorted(outputs.items())}
    return {"outputs": _bare(columns)}


def _rows(instances, kinds: dict, body: str) -> dict:
    """The row format -> inputs."""
    if not isinstance(instances, list):
        raise invalid(
            f"JSON Value: {body} Excepting 'instances' to be an list/array"
        )
    if not instances:
        raise invalid(f"JSON Value: {body} No values in 'instances' array")
    objects = _is_object(instances[0])
    if not isinstance(instances[0], dict) and len(kinds) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as "
            "multiple input tensors required as per tensorinfo_map"
        )
    held: dict = {name: [] for name in kinds}
    shapes: dict = {}
    for number, element in enumerate(instances):
        if objects != _is_object(element):
            got, wanted = ("object", "value/list")
            if objects:
                got, wanted = ("list", "object")
            raise invalid(
                f"Expecting {wanted} but got {got} at item {number} of input "
                "list"
            )
        named = element if objects else {next(iter(kinds)): element}
        try:
            for name, value in named.items():
                if name not in kinds:
                    raise invalid(
                        f"JSON object: does not have named input: {name}"
                    )
                shape, values = _dense(value, kinds[name])
                if shapes.setdefault(name, shape) != shape:
                    raise invalid(
                        f"Expecting shape {shapes[name]} but got: {shape}"
                    )
                held[name] += values
        except Refused as error:
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. "
                f"Error: INVALID_ARGUMENT: {error}"
            ) from None
        if set(named) != set(kinds):
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. "
                f"JSON object: {json.dumps(element)} keys must be equal to: "
                f"{','.join(sorted(kinds))}"
            )
    return {
        name: _array(values, (len(instances), *shapes[name]), kinds[name])
        for name, values in held.items()
    }


def _columns(given, kinds: dict) -> dict:
    """The column format -> inputs."""
    if not _is_object(given):
        if len(kinds) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as "
                "multiple input tensors required as per tensorinfo_map"
            )
        given = {next(iter(kinds)): given}
    inputs = {}
    for name, kind in kinds.items():
        if name not in given:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        shape, values = _dense(given[name], kind)
        inputs[name] = _array(values, shape, kind)
    return inputs


def _is_b64(value) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"b64"}
        and isinstance(value["b64"], str)
    )


def _is_object(value) -> bool:
    return isinstance(value, dict) and not _is_b64(value)


def _dense(value, kind: int) -> tuple[tuple, list]:
    """A value of JSON -> its shape and its leaves."""
    shape, inner = [], value
    while isinstance(inner, list):
        shape.append(len(inner))
        if not inner:
            break
        inner = inner[0]
    leaves: list = []
    _fill(value, 0, shape, kind, leaves)
    return tuple(shape), leaves


def _fill(value, level: int, shape: list, kind: int, leaves: list) -> None:
    shown = json.dumps(value)
    if isinstance(value, list):
        if level >= len(shape):
            raise invalid(
                f"Encountered list at unexpected level: {level} expected < "
                f"{len(shape)}"
            )
        if len(value) != shape[level]:
            raise invalid(
                f"Encountered list at unexpected size: {len(value)} at level: "
                f"{level} expected size: {shape[level]}"
            )
        for inner in value:
            _fill(inner, level + 1, shape, kind, leaves)
        return
    if level != len(shape):
        raise invalid(
            f"JSON Value: {shown} found at incorrect level: {level + 1} in the "
            f"JSON DOM. Expected at level: {len(shape)}"
        )
    if isinstance(value, dict) and kind == STRING:
        if not _is_b64(value):
            raise invalid(
                f"JSON Value: {shown} not formatted correctly for base64 data"
            )
        try:
            leaves.append(base64.b64decode(value["b64"], validate=True))
        except binascii.Error:
            raise invalid("Unable to base64 decode") from None
        return
    good = isinstance(value, str)
    if kind == FLOAT:
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good:
        raise invalid(
            f"JSON Value: {shown} Type: {_json_type(value)} is not of expected "
            f"type: {TYPES[kind]}"
        )
    leaves.append(value.encode() if kind == STRING else value)


def _json_type(value) -> str:
    names = {str: "String", bool: "Boolean", type(None): "Null", dict: "Object"}
    return names.get(type(value), "Number")


def _array(values: list, shape: tuple, kind: int):
    """As the loader takes it: texts as a list, numbers as an array."""
    if kind == FLOAT:
        return np.array(values, np.float32).reshape(shape)
    if len(shape) != 1:
        raise invalid(f"input must be a vector, got shape: {list(shape)}")
    return values


def _as_rows(outputs: dict) -> list:
    sizes = {len(value) for value in outputs.values()}
    if len(sizes) > 1:
        raise invalid(f"Tensor name: has inconsistent batch size: {sizes}")
    columns = {n: _plain(n, value) for n, value in sorted(outputs.items())}
    return [
        _bare({name: column[row] for name, column in columns.items()})
        for row in range(sizes.pop())
    ]


def _bare(named: dict):
    """One output alone loses its name."""
    return named if len(named) > 1 else next(iter(named.values()))


def _plain(name: str, value: np.ndarray):
    if value.dtype == object:
        # Only a name that ends so is written as base64.
        if name.endswith("_bytes"):
            return [{"b64": base64.b64encode(v).decode()} for v in value]
        return np.vectorize(lambda v: v.decode(), otypes=[object])(
            value
        ).tolist()
    return np.vectorize(lambda v: float(str(np.float32(v))), otypes=[object])(
        value
    ).tolist()


def _classify(double, name, version, label, body) -> dict:
    document = _parsed(body)
    examples = document.get("examples")
    if not isinstance(examples, list) or not examples:
        raise invalid(
            f"JSON Value: {body} When method is classify, key 'examples' is "
            "expected and was not found"
        )
    _, graph, session = double.find(name, version, label)
    key = document.get("signature_name") or "serving_default"
    signature = graph.signature_def[key]
    if list(signature.inputs) != ["inputs"]:
        raise Refused(
            "FAILED_PRECONDITION",
            f"Expected exactly one input Tensor named inputs, got {key}",
        )
    given = []
    for example in examples:
        _, (content,) = _dense(example[EXAMPLE_KEY], STRING)
        value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))
        features = tf.train.Features(feature={EXAMPLE_KEY: value})
        message = tf.train.Example(features=features)
        given.append(message.SerializeToString())
    found = double.run(
        session, signature, {"inputs": given}, ["classes", "scores"]
    )
    columns = (_plain(n, found[n]) for n in ("classes", "scores"))
    return {
        "results": [
            [list(pair) for pair in zip(*row, strict=True)]
            for row in zip(*columns, strict=True)
        ]
    }


# gRPC.


def _grpc_server(double: Double, port: int):
    import grpc
    from tensorflow_serving.apis import (
        get_model_status_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )
    from tensorflow_serving.apis.get_model_metadata_pb2 import (
        GetModelMetadataResponse,
        SignatureDefMap,
    )

    def told(context, refusal: Refused):
        context.abort(getattr(grpc.StatusCode, refusal.code), str(refusal))

    def version_of(spec) -> int | None:
        return spec.version.value if spec.HasField("version") else None

    class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            try:
                return _grpc_predict(
                    double,
                    request,
                    version_of(request.model_spec),
                    predict_pb2.PredictResponse(),
                )
            except Refused as refusal:
                told(context, refusal)

        def GetModelMetadata(self, request, context):
            spec, found = request.model_spec, SignatureDefMap()
            try:
                _, graph, _ = double.find(spec.name, version_of(spec))
            except Refused as refusal:
                told(context, refusal)
            for key, value in graph.signature_def.items():
                found.signature_def[key].CopyFrom(value)
            answer = GetModelMetadataResponse(model_spec=spec)
            answer.metadata["signature_def"].Pack(found)
            return answer

    class Models(model_service_pb2_grpc.ModelServiceServicer):
        def GetModelStatus(self, request, context):
            spec = request.model_spec
            try:
                found = double.status(spec.name, version_of(spec))
            except Refused as refusal:
                told(context, refusal)
            return json_format.ParseDict(
                found, get_model_status_pb2.GetModelStatusResponse()
            )

    server = grpc.server(
        futures.ThreadPoolExecutor(4),
        # As the server sets it.
        options=[("grpc.max_receive_message_length", 2**31 - 1)],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Predictions(), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Models(), server)
    return server, server.add_insecure_port(f"127.0.0.1:{port}")


def _grpc_predict(double: Double, request, version, response):
    spec = request.model_spec
    number, graph, session = double.find(spec.name, version, spec.version_label)
    key = spec.signature_name or "serving_default"
    if key not in graph.signature_def:
        raise Refused(
            "FAILED_PRECONDITION", f'Serving signature key "{key}" not found.'
        )
    signature = graph.signature_def[key]
    given, wanted = set(request.inputs), set(signature.inputs)
    if given != wanted:
        raise invalid(
            f"input size does not match signature: {len(given)}!={len(wanted)} "
            f"len({sorted(given)}) != len({sorted(wanted)})."
        )
    inputs = {}
    for name, tensor in request.inputs.items():
        value = tf.make_ndarray(tensor)
        inputs[name] = value.tolist() if value.dtype == object else value
    outputs = list(request.output_filter) or list(signature.outputs)
    for name in outputs:
        if name not in signature.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs "
                f"expected to be in the set {sorted(signature.outputs)}."
            )
    for name, value in double.run(session, signature, inputs, outputs).items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    response.model_spec.name = spec.name
    response.model_spec.version.value = number
    response.model_spec.signature_name = key
    return response


if __name__ == "__main__":
    with Double(
        sys.argv[1], sys.argv[2], tuple(map(int, sys.argv[3:5])) or (0, 0)
    ) as running:
        print(running.rest, running.grpc, flush=True)
        threading.Event().wait()
