"""Settings -> everything a run needs before its first step.

In: a `TransferConfig`. Out: a `Prepared`: device chosen, data checked and cut,
model built, phases planned. `--dry_run` stops after this.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from tl_keras.audit import Report
from tl_keras.cache import user_cache, why_unusable
from tl_keras.compute.devices import check_precision, compute_deterministically
from tl_keras.compute.precision import choose_precision
from tl_keras.config import TransferConfig
from tl_keras.config.adapting import AdaptConfig
from tl_keras.config.paths import saved_model_file
from tl_keras.errors import ConfigError, DataError, MachineError
from tl_keras.jobs.checking import check_data, decoding_of
from tl_keras.jobs.placing import place
from tl_keras.jobs.unlabelled import UnlabelledPictures, list_unlabelled
from tl_keras.networks import (
    LOGITS,
    backbones,
    build_classifier,
    inner_layers,
    load_backbone,
    mirrored,
    scaling_hint,
    usual_scaling,
    usual_unfreeze,
    warm_start,
)
from tl_keras.semi_supervised import most_unlabelled
from tl_keras.sources import ImageSplits
from tl_keras.strategies import LoRA, unfreezing_stages
from tl_keras.tasks import task_class, task_like
from tl_keras.tasks.multiclass import probe_bytes
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.tasks.multilabel import losses as multilabel_losses
from tl_keras.tasks.multilabel.task import Multilabel
from tl_keras.tasks.regression.task import LOSSES, Regression
from tl_keras.tasks.task import Task
from tl_keras.training import FEWEST_TO_JUDGE, Objective, Phase, gradual

GIGABYTE = 1e9
# Rows x features x classes that two cores solve in some two minutes.
MAX_PROBE_WORK = 1e9
# Whoever gives one of these wants to see a fine-tune.
OF_THE_FINE_TUNE = (
    "fine_tune_epochs", "fine_tune_learning_rate", "unfreeze_from",
    "train_batch_norm", "monitor", "early_stopping_patience", "optimizer",
    "momentum", "weight_decay", "schedule", "warmup_epochs", "label_smoothing",
    *(field.name for field in dataclasses.fields(AdaptConfig)),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A run before its first step: what `--dry_run` shows.

    Its `config` is the one given with `precision`, `head_solver` and
    `feature_cache` decided.
    """

    config: TransferConfig
    device: str
    report: Report
    images: ImageSplits
    model: keras.Model
    phases: list[Phase]
    task: Task
    unlabelled: UnlabelledPictures | None = None

    def answering(self, task: Task) -> "Prepared":
        """The same with another task, as calibration leaves it."""
        return dataclasses.replace(self, task=task)

    def hashed(self) -> "Prepared":
        """The same, its pictures known by their hashes."""
        return dataclasses.replace(self, images=self.images.hashed())


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
    # First: weights are not fetched for data that cannot be used. The side of
    # its squares, here 1, is what the network below says.
    report, images = check_data(config, 1, download=download)
    fetches = config.weights in ("auto", "imagenet") and (
        config.backbone in backbones.BACKBONES
    )
    network = load_backbone(
        config.backbone,
        image_size=config.image_size,
        weights="none" if fetches and not download else config.weights,
        arguments=backbones.parse_arguments(config.backbone_args),
        layer=config.backbone_layer or None,
    )
    if config.input_scaling == "auto":
        if hint := scaling_hint(config.backbone, network):
            print(f"backbone: {hint}", flush=True)
    images = images.decoded_by(decoding_of(config, network.input_shape[1]))
    refuse_idle(config, network, images)
    config = dataclasses.replace(
        config, precision=decided_precision(config, network, device)
    )
    # Anew, as the choice above may have drawn, and may be remembered.
    keras.utils.set_random_seed(config.seed)
    task = task_of(config, images)
    model = classifier_on(network, config, len(images.class_names))
    if config.warm_start:
        names = images.class_names
        file = saved_model_file(config.warm_start)
        print(warm_start(model, file, names), flush=True)
    config = dataclasses.replace(
        config, head_solver=decided_solver(config, images, model)
    )
    phases = in_stages(kept_phases(config, images), config, model)
    for phase in phases:  # An unknown layer is told before the first epoch.
        phase.adapts_by().count(model)
    if config.test_time_views:  # So is a network that takes no pictures.
        mirrored(model)
    unlabelled = None
    if config.unlabelled:
        most = most_unlabelled(*model.get_layer(LOGITS).kernel.shape)
        unlabelled = list_unlabelled(config, report, images, most)
    return Prepared(
        config, device, report, images, model, phases, task, unlabelled
    )


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
        print(
            f"features: computed each epoch, since {why} - give a folder by "
            "--feature_cache to have them kept",
            flush=True,
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
    name = f"{config.backbone} {config.backbone_args} {config.backbone_layer}"
    return choose_precision(
        network,
        device=device,
        name=name.rstrip(),
        training=any(phase.unfreeze_from == "all" for phase in phases),
    )


def decided_solver(
    config: TransferConfig, images: ImageSplits, model: keras.Model
) -> str:
    """`--head_solver` with auto decided: the exact one where it fits.

    Args:
        config: the settings.
        images: the splits; how many there are to train on counts.
        model: the classifier; how wide its head is counts.

    Returns:
        "adam" or "lbfgs".

    Raises:
        DataError: `--unlabelled` wants it solved, which would take too much.
    """
    solver = config.solver()
    if config.head_solver != "auto" or solver == "adam":
        return solver
    rows = len(images.train) * max(1, config.stored_views())
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
    print(
        f"head: adam, since the exact solution of {rows:,} rows of {width:,} "
        f"for {classes:,} classes would take {why}",
        flush=True,
    )
    return "adam"


def refuse_idle(
    config: TransferConfig, network: keras.Model, images: ImageSplits
) -> None:
    """Refuses what is given and would do nothing with this data or network.

    Args:
        config: the settings.
        network: the backbone.
        images: the splits.

    Raises:
        DataError: the splits give a setting nothing to do.
        ConfigError: the network does not.
    """
    for name in ("monitor", "early_stopping_patience"):
        if not len(images.val) and config.given(name):
            raise DataError(
                f"--{name}={getattr(config, name)}: {config.dataset} has "
                "nothing to validate on - set --val_fraction"
            )
    if not len(images.val) and config.calibrate:
        raise DataError(
            f"--calibrate: given, but {config.dataset} has nothing to "
            "validate on - set --val_fraction, or leave it out"
        )
    if config.train_on_all and not len(images.val):
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
        if config.given(name) and split in images.own_splits:
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
        network: the backbone, from `load_backbone`.
        config: the settings.
        num_classes: 2 or more.

    Returns:
        As `build_classifier`.
    """
    scaling = config.input_scaling
    if scaling == "auto":
        scaling = usual_scaling(config.backbone)
    return build_classifier(
        network,
        num_classes,
        input_scaling=scaling,
        pooling=config.pooling,
        head_units=config.head_units,
        dropout=config.dropout,
        precision=config.precision,
    )


def plan_phases(config: TransferConfig) -> list[Phase]:
    """The phases with epochs: the frozen head, then the unfrozen backbone."""
    shared = {
        "optimizer": config.optimizer,
        "momentum": config.momentum,
        "weight_decay": config.weight_decay,
        "schedule": config.schedule,
        "warmup_epochs": config.warmup_epochs,
    }
    unfreeze_from = config.unfreeze_from
    if unfreeze_from == "auto":
        unfreeze_from = usual_unfreeze(config.backbone)
    adapts = {
        "unfreeze_from": unfreeze_from,
        "train_batch_norm": config.train_batch_norm,
    }
    if config.adapt_by == "lora":
        lora = LoRA(config.lora_rank, unfreeze_from=unfreeze_from)
        adapts = {"strategy": lora}
    phases = [
        Phase(
            "head",
            config.head_epochs,
            config.head_learning_rate,
            solver=config.solver(),
            **shared,
        ),
        Phase(
            "fine_tune",
            config.fine_tune_epochs,
            config.fine_tune_learning_rate,
            **adapts,
            layer_decay=config.layer_decay,
            l2_sp=config.l2_sp,
            ema_momentum=config.ema_momentum,
            sam_rho=config.sam_rho,
            mixup=config.mixup,
            cutmix=config.cutmix,
            seed=config.seed,
            **shared,
        ),
    ]
    return [phase for phase in phases if phase.epochs]


def in_stages(
    phases: list[Phase], config: TransferConfig, model: keras.Model
) -> list[Phase]:
    """The phases, a fine-tune as `--unfreeze_phases` of them.

    Args:
        phases: of `plan_phases`.
        config: the settings.
        model: the classifier.

    Returns:
        As many more as there are stages, at most one a layer with a kernel.
    """
    if config.unfreeze_phases == 1 or phases[-1].unfreeze_from == "none":
        return phases
    *head, tune = phases
    stages = unfreezing_stages(
        model, tune.unfreeze_from, config.unfreeze_phases
    )
    return [*head, *gradual(tune, stages)]


def kept_phases(config: TransferConfig, images: ImageSplits) -> list[Phase]:
    """The planned phases, but for a fine-tune that nothing asks for in vain.

    Where validation has too few pictures to tell that a fine-tune is better,
    the frozen head is kept whatever comes of it. It is done all the same where
    a setting of it was given by hand: the page then compares the two.

    Args:
        config: the settings.
        images: the splits; how many there are to validate on counts.

    Returns:
        One phase or more.
    """
    phases = plan_phases(config)
    if tuned_in_vain(phases, images) and not any(
        config.given(name) for name in OF_THE_FINE_TUNE
    ):
        return phases[:1]
    return phases


def tuned_in_vain(phases: Sequence[Phase], images: ImageSplits) -> bool:
    """Whether validation is there, and too small to keep a fine-tune."""
    return len(phases) > 1 and 0 < len(images.val) < FEWEST_TO_JUDGE


def served(prepared: Prepared) -> keras.Model:
    """The model as it is asked: with `--test_time_views` twice a picture."""
    if prepared.config.test_time_views:
        return mirrored(prepared.model)
    return prepared.model


def task_of(config: TransferConfig, images: ImageSplits) -> Task:
    """What is predicted, with what training needs of the targets.

    Raises:
        ConfigError: a setting is given that does nothing for this task.
    """
    labels = images.train.examples.labels
    kind = task_like(labels)
    faults = list(task_faults(config, kind))
    if faults:
        raise ConfigError(faults)
    loss = {} if config.loss == "auto" else {"loss_kind": config.loss}
    if kind == "regression":
        coverage = 0.9 if config.coverage is None else config.coverage
        return Regression.of(labels, coverage=coverage, **loss)
    if kind == "multilabel":
        weights = None
        if config.class_weights == "balanced":
            there = np.maximum(labels.sum(axis=0), 1)
            weights = np.maximum(len(labels) - there, 1) / there
        return Multilabel(
            positive_weights=weights,
            label_smoothing=config.label_smoothing,
            **loss,
        )
    weights = None
    if config.class_weights == "balanced":
        counts = [(labels == i).sum() for i in range(len(images.class_names))]
        weights = [float(len(labels) / (len(counts) * n)) for n in counts]
    return Multiclass(config.label_smoothing, weights, config.coverage or 0.0)


def task_faults(config: TransferConfig, kind: str) -> Iterator[str]:
    """Lines for settings that are given and do nothing for a task.

    Args:
        config: the settings.
        kind: the task's name.
    """
    losses = {
        "multiclass": ("cross_entropy",),
        "multilabel": multilabel_losses.LOSSES,
        "regression": LOSSES,
    }
    if config.loss not in ("auto", *losses[kind]):
        yield (
            f"--loss={config.loss}: expected auto, {', '.join(losses[kind])} "
            f"for the task {kind}"
        )
    monitors = task_class(kind).monitors
    if config.given("monitor") and config.monitor not in monitors:
        yield (
            f"--monitor={config.monitor}: expected one of "
            f"{', '.join(monitors)} for the task {kind}"
        )
    classes, labels = ("multiclass",), ("multiclass", "multilabel")
    read_by = {
        "min_accuracy": classes, "unlabelled": classes, "advice": classes,
        "train_on_all": classes, "label_smoothing": labels,
        "class_weights": labels, "calibrate": labels,
        "coverage": ("multiclass", "regression"),
    }  # fmt: skip
    for name, kinds in read_by.items():
        if config.given(name) and kind not in kinds:
            yield (
                f"--{name}: given, but the task is {kind}, which has no such "
                "thing - leave it out"
            )


def objective_of(config: TransferConfig, task: Task) -> Objective:
    """The task, and what chooses the weights."""
    known = config.monitor in task.monitors
    return Objective(
        task=task,
        monitor=config.monitor if known else None,
        early_stopping_patience=config.early_stopping_patience,
    )


def done_once(prepared: Prepared, phase: Phase) -> dict | None:
    """Where a phase is cut, and what share of the work lies before."""
    if prepared.config.feature_cache == "off":
        return None
    cut = phase.adapts_by().cut(prepared.model)
    return cut and {"after": cut.after, "share": round(cut.trunk_share, 4)}


def trainable_in(prepared: Prepared, phase: Phase) -> int:
    """How many parameters a phase trains."""
    return phase.adapts_by().count(prepared.model)
