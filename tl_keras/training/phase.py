"""What a phase is, and what it minimises.

    Phase("fine_tune", 5, 1e-4, unfreeze_from="block5"), Objective()

In: numbers and names. Out: values that say how to train, and what makes an
optimizer, a schedule and callbacks of them.
"""

import dataclasses
from collections.abc import Sequence

import keras

from tl_keras.callbacks import WarmupCosine
from tl_keras.networks import split_layers
from tl_keras.strategies import Freeze, Strategy, layer_rates
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.tasks.task import Task
from tl_keras.training.fused_adam import FusedAdam, FusedAdamW
from tl_keras.training.update_rules import adapted

OPTIMIZERS = {
    "adam": (keras.optimizers.Adam, ()),
    "adamw": (keras.optimizers.AdamW, ("weight_decay",)),
    "sgd": (keras.optimizers.SGD, ("momentum",)),
}
# Those whose step can be one kernel a variable.
FUSED = {"adam": FusedAdam, "adamw": FusedAdamW}
SCHEDULES = ("cosine", "constant")
SOLVERS = ("adam", "lbfgs")
# Of gradient steps: name, least and largest value.
LIMITS = (
    ("layer_decay", 0.01, 1),
    ("l2_sp", 0, 1e3),
    ("ema_momentum", 0, 0.99999),
    ("sam_rho", 0, 10),
    ("mixup", 0, 100),
    ("cutmix", 0, 100),
)


@dataclasses.dataclass(frozen=True)
class Phase:
    """One stretch of training with one set of trainable layers.

    Attributes:
        name: for the log and the history.
        epochs: at most so many; 0 skips the phase.
        learning_rate: the highest of its schedule.
        unfreeze_from: "none" (the head alone), "all", or a layer's name or
            beginning.
        train_batch_norm: let BatchNorms of unfrozen layers train.
        strategy: another way for weights to move than these two say; see
            `tl_keras.strategies.Strategy`. They keep their defaults then.
        optimizer: "adam", "adamw" or "sgd".
        weight_decay: of adamw.
        momentum: of sgd.
        schedule: "cosine" or "constant".
        warmup_epochs: rise of the learning rate.
        layer_decay: factor of the learning rate for each layer with a kernel
            that the backbone's last is further from the head; see
            `strategies.layer_rates`.
        l2_sp: pull of the backbone's weights to where they were when the
            phase began; see `adapted`.
        ema_momentum: of a moving average of the weights, which is what is
            validated and kept; 0 for the weights themselves.
        sam_rho: each step takes the gradients of the place within this
            distance where the loss is highest (SAM, twice the time); 0 not.
        mixup, cutmix: parameters of `Mixing`; 0 for none. They mix what the
            phase trains on, pixels or stored activations.
        seed: of what is mixed.
        solver: "adam" fits by gradient steps with `optimizer`; "lbfgs" solves
            a single Dense head exactly (`Task.solve`), in one
            stretch that counts as one epoch, whatever `epochs` above 0.

    Example:
        head = Phase("head", epochs=10, learning_rate=1e-3)
        tune = Phase("fine_tune", 5, 1e-4, unfreeze_from="block5")
    """

    name: str
    epochs: int
    learning_rate: float
    unfreeze_from: str = "none"
    train_batch_norm: bool = False
    optimizer: str = "adam"
    weight_decay: float = 0.004
    momentum: float = 0.9
    schedule: str = "cosine"
    warmup_epochs: float = 1.0
    solver: str = "adam"
    strategy: Strategy | None = None
    layer_decay: float = 1.0
    l2_sp: float = 0.0
    ema_momentum: float = 0.0
    sam_rho: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    seed: int = 0

    def __post_init__(self):
        if self.strategy is not None and self._freeze() != Freeze():
            raise ValueError(
                f"phase {self.name}: expected a strategy, or unfreeze_from and "
                "train_batch_norm; received both"
            )
        for name, known in (
            ("schedule", SCHEDULES),
            ("solver", SOLVERS),
            ("optimizer", OPTIMIZERS),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name}={getattr(self, name)!r}: expected one of "
                    f"{', '.join(known)}"
                )
        for name, low, high in LIMITS:
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"{name}={getattr(self, name)!r}: expected {low:g} to "
                    f"{high:g}"
                )
        if self.solver == "lbfgs":
            for name, plain in self.plain_steps().items():
                if getattr(self, name) != plain:
                    raise ValueError(
                        f"phase {self.name}: {name} is of gradient steps, "
                        "which solver='lbfgs' makes none of"
                    )

    def new_optimizer(
        self,
        loss_scaling: bool,
        fused: bool = False,
        model: keras.Model | None = None,
    ) -> keras.optimizers.Optimizer:
        """A fresh one, for one fit.

        Args:
            loss_scaling: scale the loss, as float16 needs it.
            fused: take one kernel a variable for Adam's step.
            model: from `build_classifier`; says what `layer_decay` and
                `l2_sp` hang on, and may be None without these.

        Returns:
            An optimizer that is not yet built.
        """
        kind, options = OPTIMIZERS[self.optimizer]
        if fused:
            kind = FUSED.get(self.optimizer, kind)
        optimizer = kind(
            self.learning_rate,
            **{name: getattr(self, name) for name in options},
            **self._averaging(),
        )
        if self.layer_decay != 1 or self.l2_sp:
            backbone, _ = split_layers(model)
            optimizer = adapted(
                optimizer,
                rates=layer_rates(model, self.layer_decay),
                l2_sp=self.l2_sp,
                pulled={v.path for layer in backbone for v in layer.variables},
            )
        if loss_scaling:
            return keras.optimizers.LossScaleOptimizer(optimizer)
        return optimizer

    def _averaging(self) -> dict:
        if not self.ema_momentum:
            return {}
        return {"use_ema": True, "ema_momentum": self.ema_momentum}

    def averages(self) -> list[keras.callbacks.Callback]:
        """What has the moving average validated and kept, if there is one."""
        if not self.ema_momentum:
            return []
        return [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]

    def new_schedule(self, first_epoch: int) -> WarmupCosine:
        """The callback that sets the learning rate."""
        return WarmupCosine(
            self.learning_rate,
            self.warmup_epochs,
            final_fraction=1.0 if self.schedule == "constant" else 0.0,
            first_epoch=first_epoch,
        )

    @staticmethod
    def plain_steps() -> dict:
        """What `LIMITS` names, as it is when nothing is asked for."""
        return {name: getattr(Phase, name) for name, *_ in LIMITS}

    def adapts_by(self) -> Strategy:
        """The strategy: the one given, else freezing."""
        return self._freeze() if self.strategy is None else self.strategy

    def _freeze(self) -> Freeze:
        return Freeze(self.unfreeze_from, self.train_batch_norm)

    def how_long(self) -> str:
        """In words, for how many epochs and how it trains."""
        if self.solver == "lbfgs":
            return "solved exactly on pooled features"
        return (
            f"{self.epochs} epoch{'s' * (self.epochs != 1)}, {self.optimizer} "
            f"at {self.learning_rate:g}"
        )


@dataclasses.dataclass(frozen=True)
class Objective:
    """What training minimises, and what chooses the weights that are kept.

    Attributes:
        label_smoothing: share of the target spread over all classes.
        class_weights: weight of each class in the training loss, or None.
        monitor: one of the task's `monitors`; "val_loss_calibrated"
            (cross-entropy after the temperature that suits validation best),
            "val_loss" (as it is) or "val_accuracy". None for its first.
        early_stopping_patience: epochs without a better value; 0 for never.
        interpolate: after a phase that unfreezes what an earlier one left
            frozen, also try weights between where it began and its best epoch
            (`training.interpolation`), where there is validation.
        task: what is predicted, where that is not one class of several; the
            first two keep their defaults then.

    Example:
        Objective(label_smoothing=0.1, early_stopping_patience=3)
        Objective(class_weights=[1.0, 2.5], monitor="val_accuracy")
    """

    label_smoothing: float = 0.0
    class_weights: Sequence[float] | None = None
    monitor: str | None = None
    early_stopping_patience: int = 0
    interpolate: bool = True
    task: Task | None = None

    def __post_init__(self):
        known = self._multiclass()
        if self.task is not None and known != Multiclass():
            raise ValueError(
                "expected a task, or label_smoothing and class_weights; "
                "received both"
            )
        object.__setattr__(self, "class_weights", known.class_weights)
        monitors = self.predicts().monitors
        if self.monitor is None:
            object.__setattr__(self, "monitor", next(iter(monitors)))
        if self.monitor not in monitors:
            raise ValueError(
                f"monitor={self.monitor!r}: expected one of "
                f"{', '.join(monitors)}"
            )

    def predicts(self) -> Task:
        """The task: the one given, else one class of several."""
        return self._multiclass() if self.task is None else self.task

    def _multiclass(self) -> Multiclass:
        return Multiclass(self.label_smoothing, self.class_weights)

    def monitored(self) -> tuple[str, str]:
        """(column of the history, "min" or "max") of `monitor`."""
        return self.predicts().monitors[self.monitor]

    def stoppers(self) -> list[keras.callbacks.Callback]:
        """What ends a phase early, if that is asked for."""
        if not self.early_stopping_patience:
            return []
        monitor, mode = self.monitored()
        return [
            keras.callbacks.EarlyStopping(
                monitor, mode=mode, patience=self.early_stopping_patience
            )
        ]

    def interpolates(self, phase: Phase) -> bool:
        """Whether weights between a phase's start and its best are tried."""
        strategy = phase.adapts_by()
        head_alone = (
            isinstance(strategy, Freeze) and strategy.unfreeze_from == "none"
        )
        return self.interpolate and not head_alone
