"""The REST interface of TensorFlow Serving, by requests.

    rest = Rest("http://127.0.0.1:8501", "flowers", timeout=60)
    rest.versions(); rest.ask(3, encoded)

In: encoded pictures, sent as base64 in the row format. Out: `Answered` rows.
One connection is kept. Pictures go where they were told to and nowhere else:
proxies and .netrc of the environment are not used, and no redirection is
followed.
"""

import base64
import json
import ssl
import urllib.parse
from collections.abc import Sequence

import requests
import urllib3

from tl_keras.errors import ConfigError
from tl_keras.serving.server_client.answers import answer_of
from tl_keras.serving.server_client.client import Answered
from tl_keras.serving.server_client.faults import (
    Busy,
    TooLarge,
    is_too_large,
    refused,
)

BUSY = (429, 502, 503, 504)
MAX_ANSWER_BYTES = 256 << 20
NOT_OURS = "does it serve an export of tl_keras?"


class _SystemTrust(requests.adapters.HTTPAdapter):
    """Trusts whom this machine trusts, not only whom requests does.

    A server of one's own has a certificate of one's own, which the system, or
    SSL_CERT_FILE, knows.
    """

    def init_poolmanager(self, *args, **options):
        """As requests's own."""
        context = ssl.create_default_context()
        super().init_poolmanager(*args, ssl_context=context, **options)


class Rest:
    """A server's REST port.

    Args:
        address: `http://HOST:PORT` or `https://HOST:PORT`.
        model_name: the model's name there.
        timeout: of each answer, in seconds.
    """

    def __init__(self, address: str, model_name: str, timeout: float):
        self.address = address.rstrip("/")
        self._name = model_name
        self._place = "/v1/models/" + urllib.parse.quote(model_name, safe="")
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("https://", _SystemTrust())

    def versions(self) -> list[int]:
        """The versions that are ready.

        Raises:
            ConfigError: the server has no such model.
            Busy, MachineError: it does not answer, or refuses.
        """
        code, body = self._call("GET", self._place, None)
        if code == 404:
            raise ConfigError(
                f"--model_name={self._name}: {self.address} has no such model "
                "- see its configuration"
            )
        if code != 200:
            raise refused(self.address, _words(body), NOT_OURS)
        try:
            return [
                int(entry["version"])
                for entry in body["model_version_status"]
                if entry["state"] == "AVAILABLE"
            ]
        except (KeyError, TypeError, ValueError):
            raise self._strange(body) from None

    def ask(self, version: int, encoded: Sequence[bytes]) -> list[Answered]:
        """Asks one version in one request.

        Raises:
            Busy, TooLarge, MachineError: it does not answer, or refuses.
        """
        instances = [
            {"b64": base64.b64encode(content).decode("ascii")}
            for content in encoded
        ]
        return self._predict(version, "serving_default", instances)

    def ask_pixels(self, version: int, pixels) -> list[Answered]:
        """Asks `serving_float` about arrays (side, side, 3); as `ask`."""
        instances = [example.tolist() for example in pixels]
        return self._predict(version, "serving_float", instances)

    def input_name(self, version: int) -> str:
        """What `serving_default` calls its input."""
        signatures, body = self._signatures(version)
        try:
            (name,) = signatures["serving_default"]["inputs"]
        except (KeyError, TypeError, ValueError):
            raise self._strange(body) from None
        return str(name)

    def side(self, version: int) -> int:
        """Side of the squares that `serving_float` takes, in pixels."""
        signatures, body = self._signatures(version)
        try:
            shape = signatures["serving_float"]["inputs"]["pixels"]
            return int(shape["tensor_shape"]["dim"][1]["size"])
        except (KeyError, IndexError, TypeError, ValueError):
            raise self._strange(body) from None

    def _signatures(self, version: int) -> tuple[dict, object]:
        """The signatures of a version, and all that was answered."""
        place = f"{self._place}/versions/{version}/metadata"
        code, body = self._call("GET", place, None)
        if code != 200:
            raise refused(self.address, _words(body), NOT_OURS)
        try:
            return body["metadata"]["signature_def"]["signature_def"], body
        except (KeyError, TypeError):
            raise self._strange(body) from None

    def _predict(
        self, version: int, signature: str, instances: list
    ) -> list[Answered]:
        request = {"signature_name": signature, "instances": instances}
        place = f"{self._place}/versions/{version}:predict"
        code, body = self._call("POST", place, json.dumps(request))
        if code == 413 or (code == 400 and is_too_large(_words(body))):
            raise TooLarge(_words(body)[:100] or "HTTP 413")
        if code == 404:
            remedy = f"version {version} is gone; begin anew"
            raise refused(self.address, _words(body), remedy)
        if code != 200:
            raise refused(self.address, _words(body), NOT_OURS)
        # Pixels are always read; they have no status.
        plain = {} if signature == "serving_default" else {"status": ""}
        try:
            answers = [
                answer_of({**plain, **row}) for row in body["predictions"]
            ]
            if len(answers) != len(instances):
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise self._strange(body) from None
        return answers

    def _call(self, method: str, place: str, body: str | None) -> tuple:
        """(status, parsed body); the body is a text where it is no JSON."""
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            with self._session.request(
                method,
                self.address + place,
                data=body,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as answer:
                content = answer.raw.read(MAX_ANSWER_BYTES, decode_content=True)
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise Busy(_cause(error)) from None
        if answer.is_redirect:
            shown = f"sends on to {answer.headers['Location']}"
            raise refused(self.address, shown, "give the address of the server")
        try:
            parsed = json.loads(content)
        except (ValueError, RecursionError):
            parsed = content.decode("utf-8", "replace")
        if answer.status_code in BUSY:
            raise Busy(f"HTTP {answer.status_code}: {_words(parsed)[:200]}")
        return answer.status_code, parsed

    def _strange(self, body: object) -> Exception:
        shown = f"answers otherwise than expected: {json.dumps(body)[:200]}"
        return refused(self.address, shown, NOT_OURS)


def _cause(error: BaseException) -> str:
    """The first of the faults behind one of requests, in its own words."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return str(error) or type(error).__name__


def _words(body: object) -> str:
    """A server's own words for an error."""
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        return body["error"]
    return body if isinstance(body, str) else json.dumps(body)
