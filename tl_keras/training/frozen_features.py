"""What a phase leaves frozen, done once: the tail trains on activations.

In: a classifier, its phases and a `FeatureStore`. Out, for each phase, the
model that is left to fit and the data for it. All frozen trunks of the phases
start alike: the shortest one goes over the pixels, and the longer ones go on
from its activations.
"""

import functools
from collections.abc import Sequence

import keras
import tensorflow as tf

from tl_keras import log
from tl_keras.features import FeatureStore, StoredFixedBatches
from tl_keras.sources import EpochSource, FixedBatches, TrainingBatches
from tl_keras.strategies import Cut, split_at
from tl_keras.training.phase import Phase

POOLED = 2  # axes of (batch, features)


class FrozenWork:
    """Serves each phase from the longest trunk that it leaves frozen.

    A trunk's activations are asked for when its weights are those they shall
    be of: the store knows them by the weights.

    Args:
        model: from `build_classifier`.
        phases: all of them, so that trunks can share their beginning.
        store: where activations are kept.
    """

    def __init__(
        self, model: keras.Model, phases: Sequence[Phase], store: FeatureStore
    ):
        self.model = model
        self.store = store
        # A model made twice would be traced twice.
        self._split = functools.cache(lambda cut: split_at(model, cut))
        self._cuts: dict[str, Cut | None] = {}
        cuts = [self.cut_of(phase) for phase in phases]
        self.shortest = min(
            (cut for cut in cuts if cut), key=lambda c: c.position, default=None
        )
        self.always_frozen = self.shortest if all(cuts) else None

    def for_phase(
        self, phase: Phase, train: TrainingBatches, val: FixedBatches | None
    ) -> tuple[keras.Model, EpochSource, EpochSource | None]:
        """(what is left to fit, its batches, those to validate on).

        Args:
            phase: one of those given.
            train: what the whole model would be fit on.
            val: what it would be validated on; None without.

        Returns:
            The tail with its activations; the whole model, `train` and `val`
            where nothing is frozen before what trains.

        Raises:
            ValueError: `train` augments without views, so nothing can be kept.
        """
        cut = self.cut_of(phase)
        if cut is None:
            return self.model, train, val
        trunk, tail = self._split(cut)
        log.info(
            f"phase {phase.name}: frozen up to {cut.after}, "
            f"{cut.trunk_share:.0%} of the multiply-adds, done once"
        )
        via = self._via(cut)
        batches = self.store.training(trunk, train, via)
        if val is None:
            return tail, batches, None
        activations = self.store.activations(
            trunk, val.labelled, via, val.batch_size
        )
        stored = StoredFixedBatches(activations, val.batch_size, val.groups)
        return tail, batches, stored

    def for_evaluation(
        self, phase: Phase, data: FixedBatches
    ) -> tuple[keras.Model, tf.data.Dataset]:
        """A model and its data that give what all of the model gives.

        They hold for the weights that the model has now, those of a phase.
        """
        # The trunk that all phases leave alone serves them all; where one
        # trains everything, each of the others has its own. What is pooled
        # takes no room, and is asked for again and again.
        cut, own = self.always_frozen, self.cut_of(phase)
        if cut is None or (own and len(own.tensor.shape) == POOLED):
            cut = own
        if cut is None:
            return self.model, data()
        trunk, tail = self._split(cut)
        activations = self.store.activations(
            trunk, data.labelled, self._via(cut), data.batch_size
        )
        return tail, activations.batches(data.batch_size)

    def cut_of(self, phase: Phase) -> Cut | None:
        """Where a phase is cut; None where nothing is frozen before it.

        It is that of its strategy, asked once, as its tensor is compared.
        """
        strategy = phase.adapts_by()
        if repr(strategy) not in self._cuts:
            self._cuts[repr(strategy)] = strategy.cut(self.model)
        return self._cuts[repr(strategy)]

    def _via(self, cut: Cut) -> tuple[keras.Model, keras.Model] | None:
        if self.shortest is None or self.shortest.position == cut.position:
            return None
        shorter, _ = self._split(self.shortest)
        return shorter, keras.Model(self.shortest.tensor, cut.tensor)
