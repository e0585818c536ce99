"""The settings about training itself. No TensorFlow.

In: values, as everywhere in `tl_keras.config`. Out: the part of a
`TransferConfig` that says how its phases are trained, and what chooses the
weights that are kept.
"""

import dataclasses

from tl_keras.config import kinds
from tl_keras.config.settings import Settings, setting

TRAINING = "Training"


@dataclasses.dataclass(frozen=True)
class TrainingConfig(Settings):
    """Epochs, rates, the loss, and what is done with validation."""

    head_solver: str = setting(
        "auto",
        "lbfgs solves a single Dense head exactly (logistic regression, its "
        "strength cross-validated) and starts the fine-tune from there; adam "
        "takes --head_epochs gradient epochs; auto is lbfgs where nothing "
        "given needs epochs",
        group=TRAINING,
        choices=("auto", "lbfgs", "adam"),
    )
    head_epochs: int = setting(
        10,
        "epochs of the first phase: the head alone, on the frozen backbone; "
        "under lbfgs any number above 0 means to do it",
        group=TRAINING,
        unit="epochs",
        low=0,
        high=10**6,
    )
    head_learning_rate: float = setting(
        1e-3, "of the first phase", group=TRAINING, low=1e-12, high=1e3
    )
    fine_tune_epochs: int | None = setting(
        None,
        "epochs of the second phase: the head and the backbone from "
        f"--unfreeze_from on; {kinds.defaults_in_words('fine_tune_epochs')}",
        group=TRAINING,
        unit="epochs",
        low=0,
        high=10**6,
    )
    unfreeze_from: str = setting(
        "auto",
        "the first layer, in graph order, so named or starting so; all; "
        "none; auto is the backbone's last stage (--list_backbones), all for "
        "a .keras file",
        group=TRAINING,
    )
    fine_tune_learning_rate: float = setting(
        1e-4, "of the second phase", group=TRAINING, low=1e-12, high=1e3
    )
    train_batch_norm: bool = setting(
        False,
        "let BatchNorm of the unfrozen layers train too; on small data that "
        "costs accuracy",
        group=TRAINING,
    )
    batch_size: int = setting(
        32,
        "pictures a step",
        group=TRAINING,
        unit="pictures",
        low=1,
        high=2**20,
    )
    auto_batch: bool = setting(
        False,
        "where memory runs out in training, halve --batch_size and go on",
        group=TRAINING,
    )
    optimizer: str = setting(
        "adam",
        "a new one for each phase",
        group=TRAINING,
        choices=("adam", "adamw", "sgd"),
    )
    momentum: float = setting(0.9, "of sgd", group=TRAINING, low=0, high=0.9999)
    weight_decay: float = setting(
        0.004, "of adamw", group=TRAINING, low=0, high=10
    )
    schedule: str = setting(
        "cosine",
        "the learning rate within a phase",
        group=TRAINING,
        choices=("cosine", "constant"),
    )
    warmup_epochs: float = setting(
        1.0,
        "the learning rate rises from 0 over this many epochs of each phase "
        "(at most half of the phase)",
        group=TRAINING,
        unit="epochs",
        low=0,
        high=10**6,
    )
    label_smoothing: float = setting(
        0.0,
        "share of the target spread over all classes, in training only",
        group=TRAINING,
        low=0,
        high=0.9,
    )
    class_weights: str = setting(
        "none",
        "balanced: each class weighs the same in the training loss",
        group=TRAINING,
        choices=("none", "balanced"),
    )
    loss: str = setting(
        "auto",
        "what training minimises: focal and asymmetric are for several labels, "
        "huber, mse and mae for numbers; auto is cross_entropy, and huber for "
        "numbers",
        group=TRAINING,
        choices=(
            "auto", "cross_entropy", "focal", "asymmetric", "huber", "mse",
            "mae",
        ),
    )  # fmt: skip
    monitor: str = setting(
        "val_loss_calibrated",
        "what chooses the weights that are kept, over all phases, on "
        "validation: cross-entropy after the temperature that suits it best, "
        "plain cross-entropy, or accuracy; of several labels val_map too; of "
        "numbers the loss (when not given) or val_mae",
        group=TRAINING,
        choices=(
            "val_loss_calibrated", "val_loss", "val_accuracy", "val_map",
            "val_mae",
        ),
    )  # fmt: skip
    coverage: float | None = setting(
        None,
        "intervals around numbers that hold the truth in this share of new "
        "pictures (0.9 when not given), or the set of classes that does; by "
        "split conformal prediction on validation, kept in the export",
        group=TRAINING,
        low=0.5,
        high=0.999,
    )
    reject: float = setting(
        0.0,
        "share of validation that may be refused, as 0.05: below the "
        "probability that follows the export says no class (label is empty), "
        "as it should of examples of none; see --reject_class; 0 never",
        group=TRAINING,
        low=0,
        high=0.5,
    )
    early_stopping_patience: int = setting(
        0,
        "stop a phase after this many epochs without a better --monitor; 0 "
        "to run all epochs",
        group=TRAINING,
        unit="epochs",
        low=0,
        high=10**6,
    )
    calibrate: bool | None = setting(
        None,
        "fit a temperature on validation and fold it into the head, so that "
        "probabilities can be taken at their word; the predicted classes stay; "
        "true where there is validation, when not given",
        group=TRAINING,
    )
    unlabelled: str = setting(
        "",
        "a folder (or a .csv with a column path) of more pictures, without "
        "labels: where cross-validation over the labelled ones says that it "
        "helps, the solved head learns from them too; what the splits hold, "
        "or looks like a picture to validate or test on, is left out",
        group=TRAINING,
        path=True,
    )
    advice: bool | None = setting(
        None,
        "say on the page what more labels would bring and which class wants "
        "them, by stored features; where it is given, also from where to "
        "unfreeze, if a pass over the pictures is short; true where features "
        "are stored, when not given",
        group=TRAINING,
    )
    train_on_all: bool | None = setting(
        None,
        "where the frozen head is kept, or no fine-tune is surely better, "
        "solve it once more on all labels, those of validation too; true where "
        "validation was cut here and not brought, when not given",
        group=TRAINING,
    )
    compare_scratch: bool = setting(
        False,
        "also train the same network from random weights, all layers, as "
        "many epochs, to show what transfer bought",
        group=TRAINING,
    )
    seed: int = setting(
        0,
        "of the splits, the order, the head's start and augmentation",
        group=TRAINING,
        low=0,
        high=2**31 - 1,
    )
    deterministic: bool | None = setting(
        None,
        "compute so that the same run gives the same bits, also when it was "
        "stopped and gone on with; true on a CPU, when not given; slower on "
        "a GPU",
        group=TRAINING,
    )
    warm_start: str = setting(
        "",
        "begin with the weights of an earlier run: its model.keras; the head "
        "too, where the classes are the same",
        group=TRAINING,
        path=True,
    )
