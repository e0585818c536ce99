"""The settings of how the second phase moves the weights. No TensorFlow.

In: values, as everywhere in `tl_keras.config`. Out: the part of a
`TransferConfig` that says how a fine-tune adapts the backbone.
"""

import dataclasses

from tl_keras.config.settings import Settings, setting

ADAPTING = "Fine-tuning"


@dataclasses.dataclass(frozen=True)
class AdaptConfig(Settings):
    """How the fine-tune moves the weights; a phase of 0 epochs reads none."""

    strategy: str = setting(
        "auto",
        "how a network adapts: frozen solves the head alone; fine_tune is the "
        "fixed rule, the head, then --unfreeze_from on, the better one kept; "
        "auto tries rates, depths, mixup and LoRA on folds of all labels, as "
        "far as --budget_minutes reaches, and lets all labels teach the best; "
        "it is the fixed rule where that has no room, and where a setting of "
        "a fine-tune is given by hand",
        group=ADAPTING,
        choices=("auto", "frozen", "fine_tune"),
    )
    budget_minutes: float | None = setting(
        None,
        "what a run with --strategy=auto may take, its export included; when "
        "not given, 1.2 times what the fixed rule would, as reckoned by "
        "multiply-adds, so that two runs of one seed try the same",
        group=ADAPTING,
        unit="minutes",
        low=0.1,
        high=10**5,
    )
    adapt_by: str = setting(
        "unfreeze",
        "how the backbone adapts from --unfreeze_from on: its weights train, "
        "or each kernel gets a low-rank change that trains and is merged into "
        "it before the export (lora)",
        group=ADAPTING,
        choices=("unfreeze", "lora"),
    )
    lora_rank: int = setting(
        8, "rank of those changes", group=ADAPTING, low=1, high=1024
    )
    unfreeze_phases: int = setting(
        1,
        "unfreeze in so many phases, ever deeper, the last one from "
        "--unfreeze_from on; --fine_tune_epochs are shared out among them",
        group=ADAPTING,
        unit="phases",
        low=1,
        high=100,
    )
    layer_decay: float = setting(
        1.0,
        "factor of the learning rate for each layer with a kernel further "
        "from the head, such as 0.9; 1 for one rate for all",
        group=ADAPTING,
        low=0.01,
        high=1,
    )
    l2_sp: float = setting(
        0.0,
        "L2-SP: each step moves the backbone's weights by so many times the "
        "learning rate back to the pretrained ones; 0 for no pull",
        group=ADAPTING,
        low=0,
        high=1000,
    )
    ema_momentum: float = setting(
        0.0,
        "validate and keep a moving average of the weights with this "
        "momentum, such as 0.99; 0 for the weights themselves",
        group=ADAPTING,
        low=0,
        high=0.99999,
    )
    sam_rho: float = setting(
        0.0,
        "SAM: take each step's gradients where the loss is highest within "
        "this distance, such as 0.05, at twice the time; 0 for plain steps",
        group=ADAPTING,
        low=0,
        high=10,
    )
    mixup: float = setting(
        0.0,
        "mix each batch with itself, pixels or stored activations, by shares "
        "from Beta(mixup, mixup), such as 0.2; 0 for not",
        group=ADAPTING,
        low=0,
        high=100,
    )
    cutmix: float = setting(
        0.0,
        "paste a rectangle of another example into each, its area from "
        "Beta(cutmix, cutmix), such as 1; with --mixup each step draws one",
        group=ADAPTING,
        low=0,
        high=100,
    )
