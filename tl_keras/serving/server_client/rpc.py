"""The gRPC interface of TensorFlow Serving, by its own package.

    rpc = Rpc("grpc://127.0.0.1:8500", "flowers", timeout=60)
    rpc.versions(); rpc.ask(3, encoded)

In: encoded pictures. Out: `Answered` rows, of any task. Which outputs to ask
for, the version's own signature says, asked for once. Needs the extra `serving`
(tensorflow-serving-api, grpcio).
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tl_keras.errors import ConfigError
from tl_keras.serving.server_client.answers import answer_of, outputs_to_ask
from tl_keras.serving.server_client.client import Answered
from tl_keras.serving.server_client.faults import (
    Busy,
    TooLarge,
    is_too_large,
    refused,
)

try:
    import grpc
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )
except ImportError as error:
    raise ConfigError(
        f"--server=grpc://...: {error.name} is not installed - install "
        "tl-keras[serving], or use http://"
    ) from None

NOT_OURS = "does it serve an export of tl_keras?"


class Rpc:
    """A server's gRPC port.

    Args:
        address: `grpc://HOST:PORT`.
        model_name: the model's name there.
        timeout: of each answer, in seconds.
    """

    def __init__(self, address: str, model_name: str, timeout: float):
        self.address, self._name, self._timeout = address, model_name, timeout
        # As over REST, no proxy: see `rest`.
        options = [("grpc.enable_http_proxy", 0)]
        channel = grpc.insecure_channel(
            address.removeprefix("grpc://").rstrip("/"), options
        )
        self._signatures: dict = {}
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(
            channel
        )

    def versions(self) -> list[int]:
        """The versions that are ready.

        Raises:
            ConfigError: the server has no such model.
            Busy, MachineError: it does not answer, or refuses.
        """
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self._name
        try:
            answer = self._models.GetModelStatus(request, self._timeout)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                raise ConfigError(
                    f"--model_name={self._name}: {self.address} has no such "
                    "model - see its configuration"
                ) from None
            raise self._fault(error) from None
        ready = get_model_status_pb2.ModelVersionStatus.AVAILABLE
        return [
            entry.version
            for entry in answer.model_version_status
            if entry.state == ready
        ]

    def ask(self, version: int, encoded: Sequence[bytes]) -> list[Answered]:
        """Asks one version in one request.

        Raises:
            Busy, TooLarge, MachineError: it does not answer, or refuses.
        """
        request = self._request(version, "serving_default")
        examples = request.inputs[self.input_name(version)]
        examples.dtype = tf.string.as_datatype_enum
        examples.tensor_shape.dim.add(size=len(encoded))
        examples.string_val.extend(encoded)
        return self._predict(request, len(encoded))

    def ask_pixels(self, version: int, pixels) -> list[Answered]:
        """Asks `serving_float` about arrays (side, side, 3); as `ask`."""
        request = self._request(version, "serving_float")
        request.inputs["pixels"].CopyFrom(
            tf.make_tensor_proto(np.stack(pixels), tf.float32)
        )
        return self._predict(request, len(pixels))

    def input_name(self, version: int) -> str:
        """What `serving_default` calls its input."""
        inputs = self._signature(version, "serving_default").inputs
        if len(inputs) != 1:
            shown = f"serving_default takes {sorted(inputs)}"
            raise refused(self.address, shown, NOT_OURS)
        return next(iter(inputs))

    def side(self, version: int) -> int:
        """Side of the squares that `serving_float` takes, in pixels."""
        signature = self._signature(version, "serving_float")
        shape = signature.inputs["pixels"].tensor_shape
        if len(shape.dim) != 4:
            shown = f"serving_float takes {sorted(signature.inputs)}"
            raise refused(self.address, shown, NOT_OURS)
        return shape.dim[1].size

    def _signature(self, version: int, name: str):
        """What a version says of a signature, asked for once.

        Raises:
            Busy, MachineError: it does not answer, or has no such signature.
        """
        if version not in self._signatures:
            request = get_model_metadata_pb2.GetModelMetadataRequest(
                metadata_field=["signature_def"]
            )
            request.model_spec.name = self._name
            request.model_spec.version.value = version
            try:
                answer = self._predictions.GetModelMetadata(
                    request, self._timeout
                )
            except grpc.RpcError as error:
                raise self._fault(error) from None
            found = get_model_metadata_pb2.SignatureDefMap()
            answer.metadata["signature_def"].Unpack(found)
            self._signatures[version] = found.signature_def
        known = self._signatures[version]
        if name not in known:
            shown = f"serves other signatures: {sorted(known)}"
            raise refused(self.address, shown, NOT_OURS)
        return known[name]

    def _request(self, version: int, signature: str):
        """A request for the outputs that are read."""
        outputs = self._signature(version, signature).outputs
        request = predict_pb2.PredictRequest(
            output_filter=outputs_to_ask(outputs)
        )
        request.model_spec.name = self._name
        request.model_spec.version.value = version
        request.model_spec.signature_name = signature
        return request

    def _predict(self, request, count: int) -> list[Answered]:
        try:
            answer = self._predictions.Predict(request, self._timeout)
        except grpc.RpcError as error:
            raise self._fault(error) from None
        try:
            # Pixels are always read; they have no status.
            columns = {"status": [""] * count} | {
                name: _plain(tf.make_ndarray(answer.outputs[name]))
                for name in request.output_filter
            }
            if any(len(column) != count for column in columns.values()):
                raise ValueError
            return [
                answer_of({n: column[row] for n, column in columns.items()})
                for row in range(count)
            ]
        except (KeyError, TypeError, ValueError, UnicodeDecodeError):
            raise refused(
                self.address,
                f"answers otherwise than expected: {sorted(answer.outputs)}",
                NOT_OURS,
            ) from None

    def _fault(self, error: grpc.RpcError) -> Exception:
        """What a code of gRPC means here."""
        code, words = error.code(), error.details() or ""
        if is_too_large(words):
            return TooLarge(words[:100])
        if code in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        ):
            return Busy(f"{code.name}: {words[:200]}")
        remedy = NOT_OURS
        if code == grpc.StatusCode.NOT_FOUND:
            remedy = "that version is gone; begin anew"
        return refused(self.address, f"{code.name}: {words}", remedy)


def _plain(values: np.ndarray) -> list:
    """Texts, and numbers as REST sends them: the shortest that are the same
    float32."""
    plain = _shortest if values.dtype != object else bytes.decode
    return np.vectorize(plain, otypes=[object])(values).tolist()


def _shortest(number: float) -> float:
    return float(str(np.float32(number)))
