"""Training as a list of phases: the head alone, then more and more of it.

    result = fit_phases(
        model,
        [Phase("head", epochs=10, learning_rate=1e-3),
         Phase("fine_tune", epochs=5, learning_rate=1e-4,
               unfreeze_from="block5")],
        images.train.shuffled(32), images.val.batches(32))

In: a classifier, phases, data. Out: the model with the best weights of all
phases, and what happened. Each phase sets what is trainable, compiles anew
with a new optimizer, and starts from the best weights so far; epoch numbers
and the history run on. Fine-tuning cannot make it worse on validation: the
weights with the best value there win, the earlier ones on a tie; those between
the start of a fine-tune and its best epoch are tried too (`interpolation`).
Without validation the last phase wins.
"""

from tl_keras.training.fitting import fit_phases
from tl_keras.training.frozen_features import FrozenWork
from tl_keras.training.interpolation import FEWEST_TO_JUDGE
from tl_keras.training.learning_rates import RateRange, find_learning_rate
from tl_keras.training.mixing import Mixing
from tl_keras.training.phase import OPTIMIZERS, Objective, Phase
from tl_keras.training.phase_backups import (
    PhaseBackups,
    get_variables,
    set_variables,
)
from tl_keras.training.results import FitResult, PhaseResult
from tl_keras.training.solving import solve_on
from tl_keras.training.steps import Compute
from tl_keras.training.unfreezing import gradual
from tl_keras.training.update_rules import adapted

__all__ = [
    "FEWEST_TO_JUDGE",
    "OPTIMIZERS",
    "Compute",
    "FitResult",
    "FrozenWork",
    "Mixing",
    "Objective",
    "Phase",
    "PhaseBackups",
    "PhaseResult",
    "RateRange",
    "adapted",
    "find_learning_rate",
    "fit_phases",
    "get_variables",
    "gradual",
    "set_variables",
    "solve_on",
]
