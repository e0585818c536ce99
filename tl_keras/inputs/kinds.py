"""The kinds of input by name: what can be done with an example's bytes alone.

    kind = kind_named("text")
    kind.many                            # "texts"
    kind.preview(b"free entry!")         # Preview(None, "free entry!")

In: a name, then bytes. Out: words and previews for people, and what can be
mended. Whoever handles examples of whatever kind asks here, and knows none of
them. A kind's module is loaded when it is first asked for.
"""

import abc
import importlib
from typing import NamedTuple

import numpy as np

# Name -> where its class is.
PLACES = {
    "image": ("tl_keras.inputs.image.kind", "ImageKind"),
    "text": ("tl_keras.inputs.text.kind", "TextKind"),
}
# What `serving_default` calls its input -> whose it is.
BY_SERVING_NAME = {"image_bytes": "image", "text": "text"}
# What one example is called, and several.
NOUNS = {"image": ("picture", "pictures"), "text": ("text", "texts")}


class Preview(NamedTuple):
    """An example as a page shows it.

    Attributes:
        pixels: uint8 (height, width, 3); None of what is no picture, and of
            one that cannot be shown.
        excerpt: of a text, in one line; "" of anything else.
    """

    pixels: np.ndarray | None
    excerpt: str = ""


class Kind(abc.ABC):
    """A kind of input; see the module's synopsis.

    Attributes:
        name: a key of `PLACES`.
    """

    name: str

    @property
    def one(self) -> str:
        """What an example is called."""
        return NOUNS[self.name][0]

    @property
    def many(self) -> str:
        """What examples are called."""
        return NOUNS[self.name][1]

    @abc.abstractmethod
    def mended(self, encoded: bytes) -> bytes | None:
        """Bytes that an export reads where it refuses these; None where
        nothing can be done."""

    @abc.abstractmethod
    def explain(self, encoded: bytes, status: str) -> str:
        """Why an example was refused, with the remedy.

        Args:
            encoded: its bytes.
            status: what the export said.
        """

    @abc.abstractmethod
    def preview(self, encoded: bytes) -> Preview:
        """What a page shows of an example; never raises."""


def kind_named(name: str) -> Kind:
    """The kind of that name, one of `PLACES`."""
    module, what = PLACES[name]
    return getattr(importlib.import_module(module), what)()


def nouns(name: str) -> tuple[str, str]:
    """("picture", "pictures"), or the words for another kind's examples."""
    return NOUNS.get(name, ("example", "examples"))
