"""Runs of pictures: a network that Keras or a file brings, squares of pixels.

In: settings. Out: see `Runs`.
"""

from collections.abc import Mapping

import keras

from tl_keras import log
from tl_keras.compute.precision import choose_precision
from tl_keras.config import TransferConfig
from tl_keras.data import Listing
from tl_keras.jobs.decoding import decoding_of
from tl_keras.jobs.kinds.albums import Pictures
from tl_keras.jobs.kinds.runs import Loaded, Runs
from tl_keras.networks import (
    backbones,
    build_classifier,
    load_backbone,
    mirrored,
    pretrained,
    scaling_hint,
    usual_scaling,
    usual_unfreeze,
)
from tl_keras.sources import LabelledSplits


class PictureRuns(Runs):
    """Runs of pictures."""

    kind = "image"
    flips = True
    baseline = False
    explains = True

    def look_for_weights(self, config: TransferConfig) -> None:
        """As `Runs.look_for_weights`, of ImageNet's."""
        if _fetches(config) and backbones.out_of_reach(config.backbone):
            _network(config, config.weights)

    def load(
        self,
        config: TransferConfig,
        labelled: LabelledSplits,
        download: bool = True,
    ) -> Loaded:
        """As `Runs.load`; a network that would be fetched, and may not be,
        has random weights, enough for a plan.

        Args:
            config, labelled, download: as there.

        Returns:
            `Loaded`.
        """
        given = config.weights
        weights = "none" if _fetches(config) and not download else given
        network = _network(config, weights)
        if config.input_scaling == "auto":
            if hint := scaling_hint(config.backbone, network):
                log.info(f"backbone: {hint}")
        decoding = decoding_of(config, network.input_shape[1])
        return Loaded(network, labelled.decoded_by(decoding))

    def random(
        self, config: TransferConfig, labelled: LabelledSplits
    ) -> keras.Model:
        """As `Runs.random`."""
        return _network(config, "none")

    def classifier(
        self, network: keras.Model, config: TransferConfig, outputs: int
    ) -> keras.Model:
        """As `build_classifier`.

        Args:
            network, config, outputs: as of `Runs.classifier`.

        Returns:
            A functional model of logits.
        """
        scaling = config.input_scaling
        if scaling == "auto":
            scaling = usual_scaling(config.backbone)
        return build_classifier(
            network,
            outputs,
            input_scaling=scaling,
            pooling=config.pooling,
            head_units=config.head_units,
            dropout=config.dropout,
            precision=config.precision,
        )

    def evaluated(
        self, model: keras.Model, config: TransferConfig
    ) -> keras.Model:
        """As it is exported."""
        return self.served(model, config)

    def served(self, model: keras.Model, config: TransferConfig) -> keras.Model:
        """With `--test_time_views` it looks twice at a picture."""
        return mirrored(model) if config.test_time_views else model

    def precision(
        self, config: TransferConfig, network: keras.Model, device: str,
        training: bool,
    ) -> str:  # fmt: skip
        """Timed as the phases will compute.

        Args:
            config, network, device, training: as of `Runs.precision`.

        Returns:
            The name of a Keras dtype policy.
        """
        name = (
            f"{config.backbone} {config.backbone_args} {config.backbone_layer}"
        )
        return choose_precision(
            network, device=device, name=name.rstrip(), training=training
        )

    def unfreeze_from(self, config: TransferConfig) -> str:
        """As `usual_unfreeze`."""
        return usual_unfreeze(config.backbone)

    def unfreeze_layers(self, config: TransferConfig) -> list[str]:
        """The stages of an application, the last one first."""
        known = backbones.BACKBONES.get(config.backbone)
        return list(known.stages[::-1]) if known else ["all"]

    def cost(self, config: TransferConfig) -> float | None:
        """By a table, or by the file."""
        name = config.backbone
        if name in backbones.BACKBONES:
            return backbones.forward_cost(name, config.image_size)
        if name in pretrained.PRETRAINED:
            name = pretrained.path_of(name)
        return backbones.file_cost(name)

    def album(
        self, listing: Listing, config: TransferConfig, metrics: Mapping
    ) -> Pictures | None:
        """Pictures as the network sees them.

        Args:
            listing, config, metrics: as of `Runs.album`.

        Returns:
            An album.
        """
        size = metrics.get("model", {}).get("image_size", 0)
        return Pictures(listing, decoding_of(config, size)) if size else None


def _fetches(config: TransferConfig) -> bool:
    return config.weights in ("auto", "imagenet") and (
        config.backbone in backbones.BACKBONES
    )


def _network(config: TransferConfig, weights: str) -> keras.Model:
    return load_backbone(
        config.backbone,
        image_size=config.image_size,
        weights=weights,
        arguments=backbones.parse_arguments(config.backbone_args),
        layer=config.backbone_layer or None,
    )
