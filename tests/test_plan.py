"""jobs/planning.py: which phases there are, and what the plan says."""

import types

import pytest

from tl_keras.config import TransferConfig
from tl_keras.jobs.planning import kept_phases, tuned_in_vain
from tl_keras.jobs.telling.printed import describe_vain
from tl_keras.training import FEWEST_TO_JUDGE

FEW = FEWEST_TO_JUDGE - 1
# Pictures to validate on, settings given, the phases, what is told of them.
PLANS = {
    "enough": (FEWEST_TO_JUDGE, {}, ["head", "fine_tune"], ""),
    "none: the last phase is kept": (0, {}, ["head", "fine_tune"], ""),
    "few": (FEW, {}, ["head"], "left out"),
    "one": (1, {}, ["head"], "left out, since 1 validation picture,"),
    "few, by hand": (
        FEW, {"fine_tune_learning_rate": 1e-3}, ["head", "fine_tune"],
        "done, but never kept",
    ),
    "few, monitor by hand": (
        FEW, {"monitor": "val_loss"}, ["head", "fine_tune"],
        "done, but never kept",
    ),
    "few, of the head": (FEW, {"class_weights": "balanced"}, ["head"], "left"),
    "no head to keep": (FEW, {"head_epochs": 0}, ["fine_tune"], ""),
    "no fine-tune": (FEW, {"fine_tune_epochs": 0}, ["head"], ""),
}  # fmt: skip


def planned(count: int, given: dict, own_splits=()):
    config = TransferConfig(dataset="digits", backbone="letters_vgg", **given)
    images = types.SimpleNamespace(val=range(count), own_splits=own_splits)
    phases = kept_phases(config, images)
    return types.SimpleNamespace(config=config, labelled=images, phases=phases)


@pytest.mark.parametrize("case", PLANS)
def test_a_fine_tune_in_vain_is_left_out_and_told(case):
    count, given, names, told = PLANS[case]
    prepared = planned(count, given)
    assert [phase.name for phase in prepared.phases] == names
    lines = describe_vain(prepared)
    assert len(lines) == bool(told)
    assert told in "".join(lines)
    assert tuned_in_vain(prepared.phases, prepared.labelled) == (
        "done" in "".join(lines)
    )


def test_the_remedy_is_one_that_can_be_given():
    (line,) = describe_vain(planned(5, {}))
    assert "--val_fraction" in line
    # A split that the data brought cannot be cut larger.
    (line,) = describe_vain(planned(5, {}, ("val", "test")))
    assert "--val_fraction" not in line
    assert line.endswith("add pictures to its val split")
