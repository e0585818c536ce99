"""What a run does by its kind of input: pictures, or texts.

    runs = runs_of(config)
    loaded = runs.load(config, labelled)
    loaded.network, loaded.labelled

In: settings. Out: a `Runs`, which the stages of every run call where kinds
part: network, tokens or pixels, what is exported, what a page shows. The rest
of the room knows no kind.
"""

from tl_keras.config import TransferConfig
from tl_keras.config.kinds import kind_of_network
from tl_keras.jobs.kinds.pictures import PictureRuns
from tl_keras.jobs.kinds.runs import Loaded, Runs
from tl_keras.jobs.kinds.texts import TextRuns

RUNS = {"image": PictureRuns(), "text": TextRuns()}

__all__ = ["Loaded", "Runs", "runs_of"]


def runs_of(config: TransferConfig) -> Runs:
    """How a run of these settings does what depends on its kind of input."""
    return RUNS[kind_of_network(config.backbone)]
