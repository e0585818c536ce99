"""Which labels may teach a search.

    known = known_of(prepared)

In: a run that is prepared. Out: the examples that folds are cut from.
"""

from tl_keras.jobs.final_fit import may_teach
from tl_keras.jobs.preparation import Prepared
from tl_keras.sources import LabelledExamples


def known_of(prepared: Prepared) -> LabelledExamples:
    """The examples whose labels may teach: those of validation too, unless
    people brought it apart."""
    labelled = prepared.labelled
    if may_teach(prepared):
        return labelled.train.plus(labelled.val)
    return labelled.train
