"""training.epochs: epochs as they go by, in a line each."""

import logging

import pytest

from tl_keras import progress
from tl_keras.training import Phase
from tl_keras.training.epochs import epochs_told, in_a_line

LOGS = {
    "usual": (
        {"loss": 0.5, "accuracy": 0.75, "val_loss": 0.25, "val_accuracy": 1.0},
        "loss 0.500, accuracy 0.750; validation 0.250, 1.000",
    ),
    "equal to the loss": (
        {"cross_entropy": 0.5, "loss": 0.5, "val_cross_entropy": 0.25,
         "val_loss": 0.25},
        "loss 0.500; validation 0.250",
    ),
    "not equal": (
        {"cross_entropy": 0.4, "loss": 0.5},
        "loss 0.500, cross entropy 0.400",
    ),
    "more of validation": (
        {"loss": 0.5, "val_loss": 0.25, "val_cross_entropy_calibrated": 0.2},
        "loss 0.500; validation loss 0.250, cross entropy calibrated 0.200",
    ),
    "no validation": ({"loss": 2.0}, "loss 2.000"),
    "one of each class": ({"loss": 2.0, "f1": [0.5, 0.25]}, "loss 2.000"),
}  # fmt: skip


@pytest.mark.parametrize("case", LOGS)
def test_numbers_of_an_epoch_stand_once(case):
    logs, expected = LOGS[case]
    assert in_a_line(logs) == expected


def test_a_line_holds_what_fits():
    logs = {f"{where}{name}": 0.5 for where in ("", "val_") for name in
            ("loss", "accuracy")}  # fmt: skip
    logs |= {f"val_metric_{n}": 0.1 for n in range(9)}
    line = in_a_line(logs, 62)
    assert len(line) <= 62
    assert line.startswith("loss 0.500, accuracy 0.500; validation 0.500")


def test_epochs_count_within_their_phase(caplog):
    caplog.set_level(logging.INFO, "tl_keras")
    phase = Phase("fine_tune", 2, 1e-3, unfreeze_from="all")
    with epochs_told(phase, 40, 3) as told:
        for epoch in (40, 41):
            told.on_epoch_begin(epoch)
            for batch in range(3):
                told.on_train_batch_end(batch)
            told.on_epoch_end(epoch, {"loss": 0.5})
        work = progress.current()
        assert (work.what, work.done, work.total) == ("fine_tune 2/2", 6, 6)
    lines = [m for m in caplog.messages if "loss" in m]
    assert [line.split()[1] for line in lines] == ["1/2", "2/2"]
    assert all(record.passing for record in caplog.records)


def test_a_process_that_goes_on_counts_what_was_done_before():
    with epochs_told(Phase("head", 10, 1e-3), 0, 4) as told:
        told.on_epoch_begin(7)
        assert progress.current().done == 28
        assert progress.current().what == "head 8/10"


def test_where_nobody_knows_how_many_batches_there_are():
    with epochs_told(Phase("head", 10, 1e-3), 0, None) as told:
        told.on_epoch_begin(0)
        told.on_train_batch_end(0)
        assert progress.current().total is None
        assert progress.current().done == 1
