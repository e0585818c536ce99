"""A running TensorFlow Serving, asked by REST or gRPC.

    server = connect("http://127.0.0.1:8501", "flowers", timeout=60)
    server.version                      # the newest that it serves
    server.ask([open("rose.jpg", "rb").read()])
    # [Answered(labels=("rose", ...), scores=(0.98, ...), status="")]

In: an address, `http://`, `https://` or `grpc://`, and a model's name. Out: for
each picture the names and scores of `serving_default`, as `tl_keras` exports
it. The version is asked for once and named in every request, so that answers
are of one model though the server may load another meanwhile.

A server that is busy (503, 429) or does not answer in time is asked again, a
few times with growing pauses. Requests stay below gRPC's default limit of 4 MB,
and are halved where the server says that a batch is too large for it.
"""

from tl_keras.serving.server_client.client import Answered, Client
from tl_keras.serving.server_client.faults import Busy, TooLarge
from tl_keras.serving.server_client.rest import Rest

__all__ = ["Answered", "Busy", "Client", "Rest", "TooLarge", "connect"]


def connect(address: str, model_name: str, timeout: float = 60.0) -> Client:
    """Finds out what a server serves; asks it nothing yet.

    Args:
        address: `http://HOST:PORT`, `https://HOST:PORT` or
            `grpc://HOST:PORT`.
        model_name: the model's name there.
        timeout: for each answer, in seconds.

    Returns:
        A client that asks one version, the newest that is ready.

    Raises:
        ConfigError: the server has no such model; or `grpc://` without the
            extra `serving`.
        MachineError: it does not answer, or has no version ready.

    Example:
        server = connect("http://127.0.0.1:8501", "flowers")
        server.ask([open("rose.jpg", "rb").read()])[0].labels
    """
    if address.startswith("grpc://"):
        from tl_keras.serving.server_client.rpc import Rpc

        return Client(Rpc(address, model_name, timeout))
    return Client(Rest(address, model_name, timeout))
