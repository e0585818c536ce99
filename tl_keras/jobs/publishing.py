"""The kept weights -> a published version, asked every example of test.

    made = export(prepared, evaluation, run_id, accept)
    made.version, made.evaluation

In: what was trained and evaluated. Out: the version and its own answers; or
nothing is published, and why.
"""

import pathlib
from collections.abc import Mapping
from typing import NamedTuple

from tl_keras.exports import Evaluated, GateReport, publish
from tl_keras.jobs.acceptance import Acceptance
from tl_keras.jobs.listing import patterns
from tl_keras.jobs.preparation import Prepared, served
from tl_keras.tasks.values import Evaluation

GOLDEN_EXAMPLES = 5  # an odd number, asked one by one and all at once


class PublishedVersion(NamedTuple):
    """A published version, and how it did on the test split.

    Attributes:
        version: its folder.
        evaluation: of the exported graph's own answers.
        report: what the gate found.
        accepted: what `Acceptance` found, for metrics.json.
    """

    version: pathlib.Path
    evaluation: Evaluation
    report: GateReport
    accepted: Mapping


def export(
    prepared: Prepared,
    evaluation: Evaluation,
    run_id: str,
    accept: Acceptance,
) -> PublishedVersion:
    """Publishes the next version, asked every picture of the test split.

    Args:
        prepared: what was trained; its model holds the kept weights.
        evaluation: of the test split with those weights.
        run_id: of the run; a version that an earlier process of the run has
            published is asked again and taken.
        accept: says whether it is good enough to be published.

    Returns:
        The version, and its own answers to the test split.

    Raises:
        NotPublishedError: an answer is not the model's.
        NotAcceptedError: `accept` says no.
    """
    labelled, task = prepared.labelled, prepared.task
    examples = labelled.test.examples
    # From all over the split, which may lie in the order of its classes.
    step = max(1, len(examples) // GOLDEN_EXAMPLES)
    golden = range(0, len(examples), step)[:GOLDEN_EXAMPLES]
    published = publish(
        served(prepared),
        prepared.config.run_folder(),
        class_names=labelled.class_names,
        golden={examples.ids[i]: examples.read(i) for i in golden},
        decoding=labelled.test.decoding,
        task=task,
        evaluated=Evaluated(examples.ids, examples.read, evaluation.answers),
        run_id=run_id,
        columns=patterns(prepared.config.text_column),
        accept=lambda report: accept(
            labelled, report.answers, report.movement, task
        ),
    )
    report = published.report
    answered = task.count_answers(
        report.answers, evaluation.targets, labelled.class_names
    )
    return PublishedVersion(
        published.folder, answered, report, published.accepted or {}
    )
