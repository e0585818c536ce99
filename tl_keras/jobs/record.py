"""A run's results -> the files of its folder, but for its numbers and page.

In: what was prepared and what came of it. Out: `run/` filled.
"""

import dataclasses

from tl_keras import atomic, log, run_card
from tl_keras.audit import write_reports
from tl_keras.jobs.preparation import Prepared
from tl_keras.networks import answers_model
from tl_keras.runs import RunFolder
from tl_keras.tasks.values import Evaluation
from tl_keras.training import FitResult
from tl_keras.versions import labels_text


def write_record(
    prepared: Prepared,
    folder: RunFolder,
    evaluation: Evaluation,
    fit: FitResult,
) -> None:
    """Fills `run/` with all but what it began with, history and metrics.

    Args:
        prepared: the run; its model has the kept weights.
        folder: where to.
        evaluation: of the test split, with the kept weights.
        fit: what the phases gave.
    """
    labelled = prepared.labelled
    names, task = labelled.class_names, prepared.task
    write_evaluation(prepared, folder, evaluation)
    run_card.plot_curves(
        folder.curves, fit.history, fit.phases[fit.kept].best_epoch
    )
    with atomic.replacing(folder.model) as temporary:
        model = answers_model(prepared.model, task.activation, task.answer)
        model.save(temporary)
    with atomic.replacing(folder.labels) as temporary:
        temporary.write_text(labels_text(names), encoding="utf-8")


def write_evaluation(
    prepared: Prepared, folder: RunFolder, evaluation: Evaluation
) -> None:
    """The kept weights' test predictions: each, and counted.

    Args:
        prepared: the run.
        folder: where to.
        evaluation: of the test split.
    """
    labelled = prepared.labelled
    names, task = labelled.class_names, prepared.task
    run_card.write_predictions(
        folder.predictions, evaluation, labelled.test.examples.ids, names, task
    )
    # What has no classes has no matrix of them.
    if hasattr(evaluation, "confusion"):
        run_card.plot_confusion(folder.confusion, evaluation.confusion, names)


def note_label_issues(
    prepared: Prepared, fit: FitResult, folder: RunFolder
) -> None:
    """Adds the labels that the solved head doubts to the data report.

    Args:
        prepared: the run, with its data report.
        fit: what the phases gave; nothing is done where none was solved.
        folder: where the report is written anew.
    """
    judged = [p.out_of_fold for p in fit.phases if p.out_of_fold is not None]
    if not judged:
        return
    labelled = prepared.labelled
    if len(judged[0]) != len(labelled.train):
        return  # A picture was lost since they were judged.
    label_issues = prepared.task.doubted(
        labelled.train.examples, judged[0], labelled.class_names
    )
    if label_issues:
        report = dataclasses.replace(prepared.report, label_issues=label_issues)
        write_reports(report, folder.path)
        log.info(
            f"labels to look at: those of {len(label_issues)} training "
            f"{report.nouns[1]} may be wrong, in {folder.data_page}"
        )
