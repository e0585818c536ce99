"""Runs of texts: an encoder of BERT's family, token ids.

In: settings. Out: see `Runs`. Token ids are held as long as the longest text
needs, and the network takes any number of them: a batch costs what its longest
text costs. Padding changes nothing, so that the export, which takes up to
`--max_tokens`, gives the same.
"""

import functools
import pathlib
from collections.abc import Mapping

import keras

from tl_keras.config import TransferConfig
from tl_keras.config.kinds import max_tokens
from tl_keras.data import Listing
from tl_keras.data.examples import joined
from tl_keras.data.texts.checks import longer_than
from tl_keras.inputs.text import TextInput, read_vocabulary, write_vocabulary
from tl_keras.inputs.text.text_input import TOKEN_IDS
from tl_keras.inputs.text.vocabulary_files import SETTINGS_FILE, WORDS_FILE
from tl_keras.jobs.kinds.albums import Excerpts
from tl_keras.jobs.kinds.runs import Loaded, Runs
from tl_keras.jobs.listing import patterns
from tl_keras.keras_globals import standard_globals
from tl_keras.networks.text import (
    build_text_classifier,
    find_model,
    for_any_length,
    load_text_encoder,
    read_description,
)
from tl_keras.networks.text.hub import known_folder
from tl_keras.sources import LabelledSplits, Texts
from tl_keras.sources.texts import needed_length

UNFROZEN_BLOCKS = 2  # from the last, where nobody says it
# Of a text that nobody has seen yet, for what a run will cost.
USUAL_TOKENS = 64


class TextRuns(Runs):
    """Runs of texts."""

    kind = "text"
    baseline = True
    explains = False

    def load(
        self,
        config: TransferConfig,
        labelled: LabelledSplits,
        download: bool = True,
    ) -> Loaded:
        """As `Runs.load`.

        Args:
            config, labelled, download: as there.

        Returns:
            `Loaded`.

        Raises:
            ConfigError, MachineError: as of `find_model` and
                `load_text_encoder`.
        """
        found = find_model(config.backbone, download=download)
        vocabulary = read_vocabulary(found.folder)
        positions = read_description(found.folder).positions
        text_input = TextInput(
            vocabulary,
            max_tokens(config, positions),
            fields=len(patterns(config.text_column)) > 1,
        )
        every = joined(labelled.examples().values())
        length = needed_length(every, text_input)
        labelled = labelled.decoded_by(
            text_input,
            functools.partial(Texts.of, length=length, any_length=True),
        )
        encoder = for_any_length(
            load_text_encoder(
                found.folder,
                max_tokens=length,
                pad=vocabulary.pad,
                words=len(vocabulary.words),
            )
        )
        cut = len(Texts.of(every, text_input).cut())
        warnings = ()
        if cut:
            warnings = (longer_than(cut, len(every), text_input.max_tokens),)
        numbers = {
            "tokens": length,
            "texts_cut": cut,
            **({"revision": found.revision} if found.revision else {}),
            **({"license": found.license} if found.license else {}),
        }
        return Loaded(encoder, labelled, warnings, numbers)

    @standard_globals()
    def random(
        self, config: TransferConfig, labelled: LabelledSplits
    ) -> keras.Model:
        """As `Runs.random`."""
        found = find_model(config.backbone, download=False)
        encoder = load_text_encoder(
            found.folder,
            max_tokens=labelled.train.decoded.shape[1],
            pad=labelled.train.decoding.vocabulary.pad,
        )
        ids = keras.Input((None,), dtype="int32", name=TOKEN_IDS)
        return keras.models.clone_model(encoder, input_tensors=ids)

    def classifier(
        self, network: keras.Model, config: TransferConfig, outputs: int
    ) -> keras.Model:
        """As `build_text_classifier`.

        Args:
            network, config, outputs: as of `Runs.classifier`.

        Returns:
            A functional model of logits.
        """
        return build_text_classifier(
            network,
            outputs,
            head_units=config.head_units,
            dropout=config.dropout,
            precision=config.precision,
        )

    def served(self, model: keras.Model, config: TransferConfig) -> keras.Model:
        """Itself, which takes texts of any length."""
        return model

    @standard_globals()
    def converted(
        self,
        model: keras.Model,
        config: TransferConfig,
        labelled: LabelledSplits,
    ) -> keras.Model:
        """As `Runs.converted`: of the length that this data needs, since
        runtimes plan for one."""
        length = labelled.train.decoded.shape[1]
        ids = keras.Input((length,), dtype="int32", name=TOKEN_IDS)
        copy = keras.models.clone_model(model, input_tensors=ids)
        copy.set_weights(model.get_weights())
        return copy

    def help_runtimes(
        self, labelled: LabelledSplits, folder: pathlib.Path
    ) -> tuple[str, ...]:
        """As `Runs.help_runtimes`: the vocabulary, since no runtime has a
        tokenizer."""
        vocabulary = labelled.train.decoding.vocabulary
        write_vocabulary(vocabulary, folder, labelled.train.decoded.shape[1])
        return WORDS_FILE, SETTINGS_FILE

    def precision(
        self, config: TransferConfig, network: keras.Model, device: str,
        training: bool,
    ) -> str:  # fmt: skip
        """float32: what another is worth nobody has measured for texts.

        Args:
            config, network, device, training: as of `Runs.precision`.

        Returns:
            The name of a Keras dtype policy.
        """
        return "float32"

    def unfreeze_from(self, config: TransferConfig) -> str:
        """The last two blocks."""
        folder = known_folder(config.backbone)
        if folder is None:
            return "all"  # Of a plan: what would be fetched nobody knows.
        blocks = read_description(folder).blocks
        return f"block_{max(0, blocks - UNFROZEN_BLOCKS)}"

    def unfreeze_layers(self, config: TransferConfig) -> list[str]:
        """The last two blocks, the last four, the last six."""
        folder = known_folder(config.backbone)
        if folder is None:
            return ["all"]
        blocks = read_description(folder).blocks
        first = (
            max(0, blocks - UNFROZEN_BLOCKS * times) for times in (1, 2, 3)
        )
        return [f"block_{number}" for number in dict.fromkeys(first)]

    def cost(self, config: TransferConfig) -> float | None:
        """Of the blocks' kernels, for a text of usual length."""
        folder = known_folder(config.backbone)
        if folder is None:
            return None
        sizes = read_description(folder)
        kernels = 4 * sizes.width**2 + 2 * sizes.width * sizes.inner
        tokens = min(config.max_tokens, USUAL_TOKENS)
        return float(sizes.blocks * kernels * tokens)

    def album(
        self, listing: Listing, config: TransferConfig, metrics: Mapping
    ) -> Excerpts:
        """Texts in a line each.

        Args:
            listing, config, metrics: as of `Runs.album`.

        Returns:
            An album.
        """
        return Excerpts(listing)
