"""Settings -> the phases of a run.

In: settings, the splits, the classifier. Out: a list of `Phase`; a fine-tune
that nobody could judge is not in it, one in stages is in it several times.
"""

from collections.abc import Sequence

import keras

from tl_keras.config import TransferConfig
from tl_keras.jobs.kinds import runs_of
from tl_keras.sources import LabelledSplits
from tl_keras.strategies import LoRA, unfreezing_stages
from tl_keras.training import FEWEST_TO_JUDGE, Phase, gradual


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
        unfreeze_from = runs_of(config).unfreeze_from(config)
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


def kept_phases(
    config: TransferConfig, labelled: LabelledSplits
) -> list[Phase]:
    """The planned phases, but for a fine-tune that nothing asks for in vain.

    Where validation has too few pictures to tell that a fine-tune is better,
    the frozen head is kept whatever comes of it. It is done all the same where
    a setting of it was given by hand: the page then compares the two.

    Args:
        config: the settings.
        labelled: the splits; how many there are to validate on counts.

    Returns:
        One phase or more.
    """
    phases = plan_phases(config)
    if tuned_in_vain(phases, labelled) and not config.by_hand():
        return phases[:1]
    return phases


def tuned_in_vain(phases: Sequence[Phase], labelled: LabelledSplits) -> bool:
    """Whether validation is there, and too small to keep a fine-tune."""
    return len(phases) > 1 and 0 < len(labelled.val) < FEWEST_TO_JUDGE


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
