"""The settings about where a run lives and what computes it. No TensorFlow.

In: values, as everywhere in `tl_keras.config`. Out: the part of a
`TransferConfig` that says where a run is kept, what it may store, and on which
device and in which precision it computes.
"""

import dataclasses

from tl_keras.config.settings import Settings, setting

RUN = "Run"


@dataclasses.dataclass(frozen=True)
class RunConfig(Settings):
    """A run's place, its caches and its arithmetic."""

    name: str = setting(
        "", "of the run; from the dataset when not given", group=RUN
    )
    output_dir: str = setting(
        "",
        "the run's folder; saved_models/NAME when not given",
        group=RUN,
        path=True,
    )
    checkpoint_required: bool = setting(
        False,
        "stop where training cannot be saved; else it is told, and tried "
        "again at the next save",
        group=RUN,
    )
    feature_cache: str = setting(
        "auto",
        "the folder where what frozen layers make of a picture is kept, for "
        "later phases and runs; auto is in your cache folder, off computes "
        "it each epoch, with fresh augmentation",
        group=RUN,
        path=True,
        words=("auto", "off"),
    )
    feature_cache_gb: float = setting(
        20.0,
        "what may be kept there; the longest unused goes first",
        group=RUN,
        unit="gigabytes",
        low=0.001,
        high=10**6,
    )
    feature_memory_gb: float = setting(
        4.0,
        "up to this size they, and pictures that are needed in every epoch, "
        "are held in memory; what is larger is read as needed",
        group=RUN,
        unit="gigabytes",
        low=0,
        high=10**6,
    )
    device: str = setting(
        "auto",
        "auto is the GPU where there is one, unless so little is to be done "
        "that the CPU is quicker",
        group=RUN,
        choices=("auto", "cpu", "gpu"),
    )
    precision: str = setting(
        "auto",
        "of the backbone's arithmetic; auto times it in what the machine "
        "computes natively, forward or, where all layers train, in training, "
        "and takes the fastest; the head and the loss stay float32",
        group=RUN,
        choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"),
    )
    jit: str = setting(
        "auto",
        "compile the steps of training with XLA; auto does so on a GPU where "
        "the steps to come save more time than compiling takes",
        group=RUN,
        choices=("auto", "on", "off"),
    )
