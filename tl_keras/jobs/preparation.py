"""Settings -> everything a run needs before its first step.

In: a `TransferConfig`. Out: a `Prepared`: device chosen, data checked and cut,
model built, phases planned. `--dry_run` stops after this.
"""

import dataclasses
from collections.abc import Mapping

import keras

from tl_keras import log
from tl_keras.audit import Report
from tl_keras.cache import user_cache, why_unusable
from tl_keras.compute.devices import check_precision, compute_deterministically
from tl_keras.config import TransferConfig
from tl_keras.config.paths import saved_model_file
from tl_keras.errors import ConfigError, DataError, MachineError
from tl_keras.jobs.checking import check_data
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.placing import place
from tl_keras.jobs.planning import in_stages, kept_phases, plan_phases
from tl_keras.jobs.task_choice import task_of
from tl_keras.jobs.unlabelled import UnlabelledExamples, list_unlabelled
from tl_keras.networks import LOGITS, inner_layers, warm_start
from tl_keras.semi_supervised import most_unlabelled
from tl_keras.sources import LabelledSplits
from tl_keras.tasks.multiclass import probe_bytes
from tl_keras.tasks.task import Task
from tl_keras.training import Phase

GIGABYTE = 1e9
# Rows x features x classes that two cores solve in some two minutes.
MAX_PROBE_WORK = 1e9


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A run before its first step: what `--dry_run` shows.

    Its `config` is the one given with `precision`, `head_solver` and
    `feature_cache` decided; `network` is what is told of the backbone in
    metrics.json; `crowded` is whether memory has run out.
    """

    config: TransferConfig
    device: str
    report: Report
    labelled: LabelledSplits
    model: keras.Model
    phases: list[Phase]
    task: Task
    unlabelled: UnlabelledExamples | None = None
    network: Mapping = dataclasses.field(default_factory=dict)
    crowded: bool = False

    def answering(self, task: Task) -> "Prepared":
        """The same with another task, as calibration leaves it."""
        return dataclasses.replace(self, task=task)

    def hashed(self) -> "Prepared":
        """The same, its pictures known by their hashes."""
        return dataclasses.replace(self, labelled=self.labelled.hashed())


def prepare(config: TransferConfig, *, download: bool = True) -> Prepared:
    """Chooses the device, checks the data, builds the model and the phases.

    Args:
        config: the settings.
        download: whether weights and data may be fetched; without, a network
            that would fetch its own has random ones, enough for a plan.
    """
    device = place(config)
    compute_deterministically(config.deterministic, device)
    keras.utils.set_random_seed(config.seed)
    config = dataclasses.replace(config, feature_cache=usable_cache(config))
    runs = runs_of(config)
    if download:  # Without a network that is told before pictures are read.
        runs.look_for_weights(config)
    # First: weights are not fetched for data that cannot be used.
    report, labelled = check_data(config, download=download)
    loaded = runs.load(config, labelled, download)
    network, labelled = loaded.network, loaded.labelled
    report = dataclasses.replace(
        report, warnings=(*report.warnings, *loaded.warnings)
    )
    refuse_idle(config, network, labelled)
    config = dataclasses.replace(
        config, precision=decided_precision(config, network, device)
    )
    # Anew, as the choice above may have drawn, and may be remembered.
    keras.utils.set_random_seed(config.seed)
    task = task_of(config, labelled)
    model = classifier_on(network, config, len(labelled.class_names))
    if config.warm_start:
        names = labelled.class_names
        file = saved_model_file(config.warm_start)
        log.info(warm_start(model, file, names))
    config = dataclasses.replace(
        config, head_solver=decided_solver(config, labelled, model)
    )
    phases = in_stages(kept_phases(config, labelled), config, model)
    for phase in phases:  # An unknown layer is told before the first epoch.
        phase.adapts_by().count(model)
    if config.test_time_views:  # So is a network that takes no pictures.
        runs.served(model, config)
    unlabelled = None
    if config.unlabelled:
        most = most_unlabelled(*model.get_layer(LOGITS).kernel.shape)
        unlabelled = list_unlabelled(config, report, labelled, most)
    return Prepared(
        config, device, report, labelled, model, phases, task, unlabelled,
        loaded.numbers,
    )  # fmt: skip


def usable_cache(config: TransferConfig) -> str:
    """`--feature_cache`, or off where auto finds no folder to write to.

    Raises:
        MachineError: a folder that was given cannot be written to.
    """
    folder = config.feature_cache
    if folder == "off":
        return folder
    auto = folder == "auto"
    why = why_unusable(user_cache("features") if auto else folder)
    if why and not auto:
        raise MachineError(
            f"--feature_cache={folder}: {why} - give another folder, or "
            "--feature_cache=off computes activations each epoch"
        )
    if why:
        log.info(
            f"features: computed each epoch, since {why} - give a folder by "
            "--feature_cache to have them kept"
        )
        return "off"
    return folder


def decided_precision(
    config: TransferConfig, network: keras.Model, device: str
) -> str:
    """`--precision` with auto decided: timed as the phases will compute.

    Args:
        config: the settings.
        network: the backbone, whose precision is as it was afterwards.
        device: "cpu" or "gpu".

    Returns:
        The name of a Keras dtype policy.

    Raises:
        MachineError: the device lacks the precision that was asked for.
    """
    if config.precision != "auto":
        check_precision(config.precision, device)
        return config.precision
    phases = [phase.adapts_by() for phase in plan_phases(config)]
    training = any(phase.unfreeze_from == "all" for phase in phases)
    return runs_of(config).precision(config, network, device, training)


def decided_solver(
    config: TransferConfig, labelled: LabelledSplits, model: keras.Model
) -> str:
    """`--head_solver` with auto decided: the exact one where it fits.

    Args:
        config: the settings.
        labelled: the splits; how many there are to train on counts.
        model: the classifier; how wide its head is counts.

    Returns:
        "adam" or "lbfgs".

    Raises:
        DataError: `--unlabelled` wants it solved, which would take too much.
    """
    solver = config.solver()
    if config.head_solver != "auto" or solver == "adam":
        return solver
    rows = len(labelled.train) * max(1, config.stored_views())
    width, classes = model.get_layer(LOGITS).kernel.shape
    memory = probe_bytes(rows, width)
    if memory > config.feature_memory_gb * GIGABYTE:
        why = f"{memory / GIGABYTE:.1f} GB (--feature_memory_gb)"
    elif rows * width * classes > MAX_PROBE_WORK:
        why = "minutes"
    else:
        return solver
    if config.unlabelled:
        raise DataError(
            f"--unlabelled: given, but the exact solution of {rows:,} rows of "
            f"{width:,} for {classes:,} classes, which alone learns from them, "
            f"would take {why} - leave it out"
        )
    log.info(
        f"head: adam, since the exact solution of {rows:,} rows of {width:,} "
        f"for {classes:,} classes would take {why}"
    )
    return "adam"


def refuse_idle(
    config: TransferConfig, network: keras.Model, labelled: LabelledSplits
) -> None:
    """Refuses what is given and would do nothing with this data or network.

    Args:
        config: the settings.
        network: the backbone.
        labelled: the splits.

    Raises:
        DataError: the splits give a setting nothing to do.
        ConfigError: the network does not.
    """
    for name in ("monitor", "early_stopping_patience"):
        if not len(labelled.val) and config.given(name):
            raise DataError(
                f"--{name}={getattr(config, name)}: {config.dataset} has "
                "nothing to validate on - set --val_fraction"
            )
    if not len(labelled.val) and config.calibrate:
        raise DataError(
            f"--calibrate: given, but {config.dataset} has nothing to "
            "validate on - set --val_fraction, or leave it out"
        )
    if config.train_on_all and not len(labelled.val):
        raise DataError(
            f"--train_on_all: given, but {config.dataset} has nothing to "
            "validate on, so that all labels train - leave it out"
        )
    if config.train_on_all and config.test_time_views:
        raise ConfigError(
            "--train_on_all: nothing would judge the confidence of a mean over "
            "views - leave it out, or --test_time_views"
        )
    if config.train_on_all and config.solver() == "adam":
        raise ConfigError(
            "--train_on_all: expected a head that is solved - set "
            "--head_solver=lbfgs, or leave it out"
        )
    for name, split in (
        ("val_fraction", "val"),
        ("val_examples_per_class", "val"),
        ("test_fraction", "test"),
    ):
        if config.given(name) and split in labelled.own_splits:
            raise DataError(
                f"--{name}: given, but {config.dataset} comes with a {split} "
                "split of its own - leave it out"
            )
    if config.train_batch_norm and config.fine_tune_epochs:
        layers = inner_layers(network)
        if not any(
            isinstance(x, keras.layers.BatchNormalization) for x in layers
        ):
            raise ConfigError(
                f"--train_batch_norm: given, but {config.backbone} has no "
                "BatchNorm - leave it out"
            )


def classifier_on(
    network: keras.Model, config: TransferConfig, num_classes: int
) -> keras.Model:
    """The classifier a configuration describes, on a loaded backbone.

    Args:
        network: the backbone.
        config: the settings.
        num_classes: 2 or more.

    Returns:
        As `build_classifier`, or `build_text_classifier`.
    """
    return runs_of(config).classifier(network, config, num_classes)


def many_of(prepared: Prepared) -> str:
    """What the run's examples are called: "pictures", "texts"."""
    return prepared.report.nouns[1]


def evaluated(prepared: Prepared) -> keras.Model:
    """The model as it is evaluated."""
    return runs_of(prepared.config).evaluated(prepared.model, prepared.config)


def served(prepared: Prepared) -> keras.Model:
    """The model as it is asked and exported."""
    return runs_of(prepared.config).served(prepared.model, prepared.config)


def done_once(prepared: Prepared, phase: Phase) -> dict | None:
    """Where a phase is cut, and what share of the work lies before."""
    if prepared.config.feature_cache == "off":
        return None
    cut = phase.adapts_by().cut(prepared.model)
    return cut and {"after": cut.after, "share": round(cut.trunk_share, 4)}


def trainable_in(prepared: Prepared, phase: Phase) -> int:
    """How many parameters a phase trains."""
    return phase.adapts_by().count(prepared.model)
