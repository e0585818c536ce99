"""Words by their hash, among sorted numbers: a table without a resource.

    words = WordHashes({"free": 7, "entry": 9})
    words.find(tf.constant(["entry", "no"]))         # [9, -1]

In: words and their ids, once; then strings. Out: ids, in graph operations that
a server does not have to set up.
"""

import numpy as np
import tensorflow as tf

from tl_keras.errors import ConfigError

# FarmHash to 63 bits: a word that is none is taken for one of 30,000 with a
# probability of 3e-15.
BUCKETS = 2**63 - 1


class WordHashes:
    """Words by their hash; a look-up without a state.

    Args:
        ids: word -> its id.

    Raises:
        ConfigError: two words have the same hash.

    Example:
        WordHashes({"free": 0, "entry": 1}).find(tf.constant(["free"]))
    """

    def __init__(self, ids: dict[str, int]):
        words = [word.encode("utf-8", "replace") for word in ids] or [b""]
        numbers = np.array(list(ids.values()) or [-1], np.int32)
        hashes = tf.strings.to_hash_bucket_fast(words, BUCKETS).numpy()
        order = np.argsort(hashes)
        self.hashes, self.ids = hashes[order], numbers[order]
        same = np.flatnonzero(self.hashes[1:] == self.hashes[:-1])
        if len(same):
            first, second = (words[order[same[0] + i]].decode() for i in (0, 1))
            raise ConfigError(
                f"vocabulary: the words {first!r} and {second!r} have the same "
                "hash; expected different ones - take one of them out"
            )
        self.longest_word = max(len(word) for word in [*ids, " "])

    def find(self, words: tf.Tensor) -> tf.Tensor:
        """Words (n,) -> ids, int32 (n,); -1 for what is none."""
        wanted = tf.strings.to_hash_bucket_fast(words, BUCKETS)
        place = tf.searchsorted(self.hashes, wanted)
        place = tf.minimum(place, len(self.hashes) - 1)
        found = tf.gather(self.hashes, place) == wanted
        return tf.where(found, tf.gather(self.ids, place), -1)

    def longest(
        self, words: tf.Tensor, start: tf.Tensor, ends: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The longest word that stands in each text at a place.

        Args:
            words: string (n,).
            start: int32 (n,), where to look, in characters.
            ends: int32 (n,), how many characters each has.

        Returns:
            (ids, -1 for none; lengths in characters, 0 for none), int32 (n,).
        """
        most = tf.minimum(self.longest_word, tf.reduce_max(ends - start))
        sizes = tf.range(1, tf.maximum(most, 1) + 1)
        most = tf.size(sizes)
        parts = tf.strings.substr(
            tf.repeat(words, most),
            tf.repeat(start, most),
            tf.tile(sizes, tf.shape(words)),
            unit="UTF8_CHAR",
        )
        ids = tf.reshape(self.find(parts), [-1, most])
        fits = (ids >= 0) & (sizes <= (ends - start)[:, None])
        best = tf.reduce_max(tf.where(fits, sizes, 0), axis=1)
        ids = tf.gather(ids, tf.maximum(best - 1, 0), batch_dims=1)
        return tf.where(best > 0, ids, -1), best
