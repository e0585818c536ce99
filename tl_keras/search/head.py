"""How poor the frozen head is, by labels that it has not learnt.

    head = head_answers(fits)
    head.is_poor(), head.describe()      # "... gets 60 of 320 labels wrong ..."

In: the means to fit on all labels. Out: the head solved on them, and how many
of them solutions that had no part in a label answer wrong. A search can bring
what the head leaves: of many labels answered wrong that may be much.
"""

from typing import NamedTuple

import numpy as np
import scipy.stats

from tl_keras import log
from tl_keras.search.fold_fits import FoldFits
from tl_keras.tasks.values import SolvedHead
from tl_keras.training import set_variables

# Where the network fits the data (cats and dogs, digits on one of letters) its
# head got 1 to 4 % of 200 labels wrong, and no fine-tune was better; of digits
# on one of photographs 14 to 15 %, of spoken digits' spectra 23 to 25 %, and in
# each draw one was. Of 40 cats and dogs it got up to 7 wrong, by chance.
FITS_THE_DATA = 0.1
SURE = 0.05


class HeadAnswers(NamedTuple):
    """What the frozen head answers, by folds.

    Attributes:
        wrong: labels for which it names another class.
        labels: how many there are.
    """

    wrong: int
    labels: int

    def is_poor(self) -> bool:
        """Whether it is surely wrong more often than one time in ten."""
        by_chance = scipy.stats.binom.sf(
            self.wrong - 1, self.labels, FITS_THE_DATA
        )
        return bool(by_chance <= SURE)

    def describe(self) -> str:
        """In words."""
        only = "" if self.is_poor() else "only "
        return (
            f"the frozen head gets {only}{self.wrong:,} of {self.labels:,} "
            "labels wrong out of fold"
        )


def solved_on_all(fits: FoldFits) -> SolvedHead:
    """The head by all labels, on what the frozen layers make of them.

    Args:
        fits: of the examples.

    Returns:
        The head; the model has the weights that it began with.
    """
    set_variables(fits.model, fits.backups.initial)
    source = fits.known.batches(fits.known.labelled, "none")
    left, data, _ = fits.trainer.frozen.for_phase(fits.head, source, None)
    return fits.solve(left, data)


def head_answers(fits: FoldFits) -> HeadAnswers | None:
    """Asks the head of each label by a solution that it had no part in.

    What the frozen layers make of all examples is computed, and kept.

    Args:
        fits: of the examples, each of one class of several; no folds are
            needed.

    Returns:
        `HeadAnswers`; None where there was nothing to cross-validate on.
    """
    with log.silent():
        answers = solved_on_all(fits).out_of_fold
    if answers is None:
        return None
    labels = fits.known.labelled.labels.reshape(-1)
    wrong = int(np.count_nonzero(answers.argmax(axis=-1) != labels))
    return HeadAnswers(wrong, len(labels))
