"""What is wrong with the settings of a fine-tune. No TensorFlow.

In: the settings of a run. Out: its faults, one line each: received, expected,
remedy; see `tl_keras.config.rules`.
"""

from collections.abc import Iterator

from tl_keras.config.data_rules import idle
from tl_keras.config.effective import EffectiveConfig
from tl_keras.config.settings import Fault


def adapting_faults(config: EffectiveConfig) -> Iterator[Fault]:
    """Settings of a fine-tune that nothing would read."""
    if config.budget_minutes is not None and not config.searches():
        by_hand = config.by_hand()
        why = "only --strategy=auto keeps to it"
        if config.strategy == "auto" and by_hand:
            why = f"--{by_hand[0]} selects the fixed rule"
        yield idle("budget_minutes", why)
    if not config.fine_tune_epochs:
        return
    if config.adapt_by == "lora":
        for name in ("train_batch_norm", "unfreeze_phases"):
            if config.given(name):
                yield idle(name, "--adapt_by=lora unfreezes no layer")
    elif config.given("lora_rank"):
        yield idle("lora_rank", "only --adapt_by=lora reads it")
    if config.unfreeze_phases > config.fine_tune_epochs:
        yield Fault(
            ("unfreeze_phases", "fine_tune_epochs"),
            f"--unfreeze_phases={config.unfreeze_phases}: expected at most "
            f"--fine_tune_epochs={config.fine_tune_epochs}, one for each phase",
        )
