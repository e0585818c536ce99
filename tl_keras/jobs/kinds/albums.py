"""The examples of a listing by split and id, as a page shows them.

    album = Pictures(listing, decoding)
    album.square("test", "rose/1.jpg")
    Excerpts(listing).excerpt("test", "reviews.csv:12")

In: a listing. Out: pixels or words; nothing where an example is gone.
"""

import functools

import numpy as np
import tensorflow as tf

from tl_keras.data import Listing
from tl_keras.data.examples import label_text
from tl_keras.inputs.image import pixels
from tl_keras.inputs.kinds import kind_named


class Listed:
    """Finds the examples of a listing again.

    Args:
        listing: as `tl_keras.jobs.listing.list_data` gives it.
    """

    kind = "image"

    def __init__(self, listing: Listing):
        self.listing = listing

    @functools.cached_property
    def _places(self) -> dict[tuple[str, str], int]:
        return {
            (split, _written(id_)): place
            for split, examples in self.listing.splits.items()
            for place, id_ in enumerate(examples.ids)
        }

    def find(self, split: str, id_: str):
        """(examples, index), or None; a split that was cut lies in train."""
        for name in (split, "train"):
            place = self._places.get((name, _written(id_)))
            if place is not None:
                return self.listing.splits[name], place
        return None

    def square(self, split: str, id_: str) -> np.ndarray | None:
        """uint8 (size, size, 3), or None where there is none."""

    def excerpt(self, split: str, id_: str) -> str:
        """A line of text, or "" where there is none."""
        return ""

    def label(self, split: str, id_: str) -> str:
        """The class it lies in; "" where it is not listed now."""
        found = self.find(split, id_)
        if found is None:
            return ""
        examples, place = found
        return label_text(examples.labels[place], self.listing.class_names)


class Pictures(Listed):
    """Pictures as a network sees them.

    Args:
        listing: of pictures.
        decoding: how bytes become squares.
    """

    def __init__(self, listing: Listing, decoding: pixels.Decoding):
        super().__init__(listing)
        self.decoding = decoding

    def square(self, split: str, id_: str) -> np.ndarray | None:
        """uint8 (size, size, 3), or None where it cannot be read now."""
        found = self.find(split, id_)
        if found is None:
            return None
        examples, place = found
        try:
            content = examples.read(place)
            # What the check repaired for training is repaired again.
            content = (
                pixels.repair(content, self.decoding.max_pixels) or content
            )
            with tf.device("CPU:0"):  # Many small steps.
                return self.decoding.load(tf.constant(content)).numpy()
        except (OSError, tf.errors.OpError):
            return None


class Excerpts(Listed):
    """Texts in a line each."""

    kind = "text"

    def excerpt(self, split: str, id_: str) -> str:
        """The first words; "" where the text is not listed now."""
        found = self.find(split, id_)
        if found is None:
            return ""
        examples, place = found
        return kind_named("text").preview(examples.read(place)).excerpt


def _written(id_: str) -> str:
    """An id as the files of a run hold it: in UTF-8 whatever it was."""
    return id_.encode("utf-8", "backslashreplace").decode()
