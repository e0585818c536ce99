"""The protocol of a kind of run, and what loading gives.

In: nothing. Out: `Runs`, which `pictures` and `texts` are.
"""

import abc
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import keras

from tl_keras.config import TransferConfig
from tl_keras.data import Listing
from tl_keras.run_card.gallery import Album
from tl_keras.sources import LabelledSplits


class Loaded(NamedTuple):
    """A network, and the data as it takes them.

    Attributes:
        network: without a head.
        labelled: the splits.
        warnings: what was found of the data on the way, one line each.
        numbers: of the network, for metrics.json.
    """

    network: keras.Model
    labelled: LabelledSplits
    warnings: tuple[str, ...] = ()
    numbers: Mapping = {}


class Runs(abc.ABC):
    """What a run does by its kind of input.

    Attributes:
        kind: of input, a name of `inputs.kinds`.
        flips: whether a flipped example may be one of its class.
        baseline: whether a simpler method is fitted beside the network.
        explains: whether the page shows what in an example speaks for its
            class, for which it needs the model.
    """

    kind: str
    flips: bool = False
    baseline: bool
    explains: bool

    def look_for_weights(  # noqa: B027 (most kinds have nothing to look for)
        self, config: TransferConfig
    ) -> None:
        """Raises what `load` would raise, where it is seen without the data
        that weights cannot be had.

        Raises:
            MachineError: they are not here and cannot be fetched.
        """

    @abc.abstractmethod
    def load(
        self,
        config: TransferConfig,
        labelled: LabelledSplits,
        download: bool = True,
    ) -> Loaded:
        """Loads the backbone, and says how examples become its inputs.

        Args:
            config: the settings.
            labelled: the splits, not decoded.
            download: whether weights may be fetched.

        Returns:
            `Loaded`.
        """

    @abc.abstractmethod
    def random(
        self, config: TransferConfig, labelled: LabelledSplits
    ) -> keras.Model:
        """The same network with random weights.

        Args:
            config: the settings.
            labelled: the splits, as `load` gave them.
        """

    @abc.abstractmethod
    def classifier(
        self, network: keras.Model, config: TransferConfig, outputs: int
    ) -> keras.Model:
        """The network with a head.

        Args:
            network: from `load` or `random`; its layers are shared.
            config: the settings.
            outputs: how many logits, or numbers.

        Returns:
            A functional model of logits.
        """

    def evaluated(
        self, model: keras.Model, config: TransferConfig
    ) -> keras.Model:
        """The model as it is evaluated: itself, unless it is asked otherwise.

        Args:
            model: the classifier.
            config: the settings.
        """
        return model

    @abc.abstractmethod
    def served(self, model: keras.Model, config: TransferConfig) -> keras.Model:
        """The model as it is exported, with the weights that it has now."""

    def converted(
        self,
        model: keras.Model,
        config: TransferConfig,
        labelled: LabelledSplits,
    ) -> keras.Model:
        """The model that files for other runtimes are made of.

        Args:
            model: the classifier, with the weights that are kept.
            config: the settings.
            labelled: the splits, as `load` gave them.

        Returns:
            As `served`, unless runtimes want it otherwise.
        """
        return self.served(model, config)

    def help_runtimes(
        self, labelled: LabelledSplits, folder: pathlib.Path
    ) -> tuple[str, ...]:
        """Writes what those files need beside them.

        Args:
            labelled: the splits, as `load` gave them.
            folder: theirs; it is there.

        Returns:
            The names of what was written.
        """
        return ()

    @abc.abstractmethod
    def precision(
        self, config: TransferConfig, network: keras.Model, device: str,
        training: bool,
    ) -> str:  # fmt: skip
        """`--precision` where it is auto.

        Args:
            config: the settings.
            network: the backbone.
            device: "cpu" or "gpu".
            training: whether all of it trains.

        Returns:
            The name of a Keras dtype policy.
        """

    @abc.abstractmethod
    def unfreeze_from(self, config: TransferConfig) -> str:
        """`--unfreeze_from` where it is auto."""

    def unfreeze_layers(self, config: TransferConfig) -> list[str]:
        """From where a search may unfreeze: the usual layer, then deeper ones.

        Args:
            config: the settings.
        """
        return [self.unfreeze_from(config)]

    @abc.abstractmethod
    def cost(self, config: TransferConfig) -> float | None:
        """Multiply-adds of the backbone for one example; None where that is
        unknown."""

    @abc.abstractmethod
    def album(
        self, listing: Listing, config: TransferConfig, metrics: Mapping
    ) -> Album | None:
        """Finds examples again for the page; None where that cannot be.

        Args:
            listing: of the run's data.
            config: its settings.
            metrics: as in metrics.json.

        Returns:
            An `Album`.
        """
