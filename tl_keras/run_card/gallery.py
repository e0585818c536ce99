"""Chosen test pictures -> cards with thumbnails and Grad-CAM.

In: the `gallery` of a run's card, an `Album` that finds pictures, the model.
Out: what the template shows. Where a picture or the model is no longer there,
the words are shown without it.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import keras
import matplotlib
import numpy as np
from PIL import Image

from tl_keras import pages
from tl_keras.inputs.image.grad_cam import grad_cam
from tl_keras.inputs.kinds import nouns

# Of all data: addresses of pictures; the page shall stay below 5 MB.
MAX_BYTES = 3_600_000
# Pixels of the longer side: small on the page, and seen larger when asked.
SIDE = 224
HEAT = matplotlib.colormaps["inferno"]
MAX_HEAT = 0.75  # so that the picture is seen through it


class Album(Protocol):
    """Finds the examples of a dataset again, by split and id.

    Attributes:
        kind: of input, a name of `inputs.kinds`.
    """

    kind: str

    def square(self, split: str, id_: str) -> np.ndarray | None:
        """uint8 (size, size, 3) as the network sees it; None if it is gone."""

    def excerpt(self, split: str, id_: str) -> str:
        """A text in one line; "" if it is gone."""

    def label(self, split: str, id_: str) -> str:
        """The class it lies in; "" when unknown."""


class Gallery:
    """Makes cards of examples; counts what the pictures weigh.

    Args:
        class_names: in the order of the labels.
        album: where pictures are, or None.
        model: pixels -> probabilities, or None for no Grad-CAM.

    Attributes:
        lost: how many pictures were asked for and are no longer there.
        left_out: how many were left out for the page's size.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        album: Album | None,
        model: keras.Model | None,
    ):
        self.class_names = class_names
        self.album = album
        self.model = model
        self.lost = self.left_out = self._bytes = 0
        self._squares: dict[tuple[str, str], np.ndarray | None] = {}
        self._heat: dict[str, np.ndarray] = {}

    def look(self, examples: Sequence[Mapping]) -> None:
        """Computes the Grad-CAM of test examples, each picture once."""
        seen = {
            e["id"]: e["predicted"]
            for e in examples
            if self._square("test", e["id"]) is not None
        }
        if self.model is None or not seen:
            return
        pictures = np.stack([self._square("test", id_) for id_ in seen])
        try:
            maps = grad_cam(self.model, pictures, classes=list(seen.values()))
        except ValueError:  # A network that has no map of features.
            return
        self._heat = dict(zip(seen, maps, strict=True))

    def card(self, example: Mapping) -> dict:
        """One test example: pictures, names, probability."""
        picture = heat = ""
        square = self._square("test", example["id"])
        if square is not None:
            shown = enlarged(square)
            picture = self._weighed(pages.thumbnail(shown, SIDE))
            if picture and example["id"] in self._heat:
                under = heated(shown, self._heat[example["id"]])
                heat = self._weighed(pages.thumbnail(under, SIDE))
        return {
            "excerpt": self._excerpt("test", example["id"]),
            "id": example["id"],
            "true": self.class_names[example["true"]],
            "predicted": self.class_names[example["predicted"]],
            "right": example["true"] == example["predicted"],
            "score": example["score"],
            "picture": picture,
            "heat": heat,
        }

    def plain(self, split: str, id_: str) -> dict:
        """An example of any split, with the class it lies in."""
        square = self._square(split, id_)
        picture = ""
        if square is not None:
            picture = self._weighed(pages.thumbnail(enlarged(square), SIDE))
        label = self.album.label(split, id_) if self.album else ""
        return {
            "id": id_,
            "split": split,
            "label": label,
            "picture": picture,
            "excerpt": self._excerpt(split, id_),
        }

    def _excerpt(self, split: str, id_: str) -> str:
        """A line of a text; "" of a picture."""
        if self.album is None or self.album.kind == "image":
            return ""
        found = self.album.excerpt(split, id_)
        # A copy that the check left out is not listed, and not lost.
        self.lost += not found and split == "test"
        return found

    def _square(self, split: str, id_: str) -> np.ndarray | None:
        if self.album is None or self.album.kind != "image":
            return None
        if (split, id_) not in self._squares:
            square = self.album.square(split, id_)
            self._squares[split, id_] = square
            self.lost += square is None
        return self._squares[split, id_]

    def _weighed(self, address: str) -> str:
        """The picture, or "" where the page would become too large."""
        if self._bytes + len(address) > MAX_BYTES:
            self.left_out += 1
            return ""
        self._bytes += len(address)
        return address


def why_no_previews(gallery: Gallery, reason: str, heat: bool = True) -> str:
    """What is missing on a page whose cards were made; "" for nothing.

    Args:
        gallery: made the cards.
        reason: why there is no album, in words.
        heat: whether there should have been Grad-CAM.

    Returns:
        A line for the page.
    """
    if gallery.album is None:
        return reason
    _, many = nouns(gallery.album.kind)
    parts = []
    if gallery.lost:
        parts.append(f"some {many} are no longer where they were")
    if gallery.left_out:
        parts.append("some are left out to keep this page small")
    heat = heat and gallery.album.kind == "image"
    if heat and gallery.model is None:
        parts.append("model.keras is not there, so there is no Grad-CAM")
    return "; ".join(parts)


def enlarged(square: np.ndarray) -> np.ndarray:
    """A square at least as large as a thumbnail, so that a map lies finely."""
    side = SIDE
    if len(square) >= side:
        return square
    image = Image.fromarray(square).resize((side, side), Image.Resampling.BOX)
    return np.asarray(image)


def heated(square: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture under its map: grey where nothing speaks for the class.

    Args:
        square: uint8 (size, size, 3).
        heat: float (any, any), 0 to 1.
    """
    size = square.shape[1::-1]
    map_ = Image.fromarray(np.uint8(255 * heat))
    map_ = np.asarray(map_.resize(size, Image.Resampling.BILINEAR)) / 255
    grey = square.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    strength = MAX_HEAT * map_[..., None]
    mixed = (1 - strength) * grey + strength * 255 * HEAT(map_)[..., :3]
    return np.uint8(mixed.round())
