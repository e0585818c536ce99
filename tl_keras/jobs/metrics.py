"""A run's results -> the numbers of metrics.json.

In: a run, as far as it has come. Out: plain numbers by name; nothing is
written.
"""

import datetime
import os

import numpy as np

from tl_keras import run_card
from tl_keras.audit import seen_in_training
from tl_keras.jobs.measuring import (
    device_memory_numbers,
    file_bytes,
    peak_memory,
    signatures,
)
from tl_keras.jobs.preparation import Prepared, done_once
from tl_keras.jobs.staging import Run
from tl_keras.jobs.task_choice import objective_of
from tl_keras.tasks.values import Evaluation
from tl_keras.training import PhaseResult

NOT_CALIBRATED = {"temperature": None}


def collect(run: Run, seconds: dict[str, float]) -> dict:
    """All numbers of a run, as metrics.json holds them.

    Args:
        run: trained and evaluated; where its export was not published there
            is none in the numbers.
        seconds: by stage.
    """
    labelled, fit, cost = run.prepared.labelled, run.fit, run.cost
    if run.version is not None:
        cost = {**cost, "export_bytes": file_bytes(run.version)}
    return {
        "test": run.kept.metrics,
        "kept_phase": fit.phases[fit.kept].phase.name,
        "phases": [
            phase_numbers(result, evaluation, len(labelled.train))
            | {"done_once": done_once(run.prepared, result.phase)}
            for result, evaluation in zip(
                fit.phases, run.evaluations, strict=True
            )
        ],
        **solved_on_all(run),
        **({"search": run.searched.numbers} if run.searched else {}),
        **({"scratch": {"test": run.scratch.metrics}} if run.scratch else {}),
        **baseline_numbers(run),
        **head_numbers(run),
        **leakage(run.prepared, run.kept),
        **({"unlabelled": run.unlabelled.numbers} if run.unlabelled else {}),
        **({"advice": run.advice} if run.advice else {}),
        "comparisons": compared(run),
        "export": export_numbers(run),
        **({"not_published": list(run.refusal)} if run.refusal else {}),
        **describe_run(run.prepared.answering(run.shown.task), seconds, cost),
        **(run.calibration.numbers if run.calibration else NOT_CALIBRATED),
        **run.accepted,
        **run.files.numbers,
    }


def solved_on_all(run: Run) -> dict:
    """How many labels the kept head was solved on once more; {} if it was
    not."""
    if not run.solved_on:
        return {}
    train = len(run.prepared.labelled.train)
    numbers = {
        "examples": run.solved_on,
        "validation_examples": run.solved_on - train,
    }
    return {"solved_on_all": numbers}


def baseline_numbers(run: Run) -> dict:
    """What the simpler method gave; {} where there is none."""
    if run.baseline is None:
        return {}
    numbers = {
        "test": run.baseline.evaluation.metrics,
        **run.baseline.numbers,
    }
    return {"baseline": numbers}


def head_numbers(run: Run) -> dict:
    """What is published in the network's place; {} where it is the network."""
    if run.head is None:
        return {}
    test = run.head.evaluation.metrics
    return {"published": {"test": test, **run.head.numbers}}


def export_numbers(run: Run) -> dict | None:
    """What is published; None where nothing is."""
    version, report = run.version, run.gate_report
    return version and {
        "version": int(version.name),
        "signatures": signatures(version),
        "largest_difference": report.difference,
        "rounding": report.split and report.split.numbers(),
        "warm_up_requests": report.warm_ups,
    }


def leakage(prepared: Prepared, evaluation: Evaluation) -> dict:
    """What splits share that the data brought, and the accuracy without it.

    Returns:
        {} where no picture's bytes are in two splits; else under "leakage"
        "val" and "test", how many of theirs are in training, and "without":
        the test split without them.
    """
    splits = prepared.labelled.examples()
    found = seen_in_training(prepared.report.rows, splits)
    if not found:
        return {}
    numbers: dict = {split: len(places) for split, places in found.items()}
    kept = np.ones(len(evaluation.targets), bool)
    kept[found.get("test", [])] = False
    if kept.any():
        task = prepared.task
        rest = task.count_answers(
            evaluation.answers[kept],
            evaluation.targets[kept],
            prepared.labelled.class_names,
        ).metrics
        told = ("examples", task.main, f"{task.main}_interval")
        numbers["without"] = {name: rest[name] for name in told}
    return {"leakage": numbers}


def stopped(prepared: Prepared, why: str, seconds: dict[str, float]) -> dict:
    """What metrics.json holds of a run that diverged: no test, but why.

    Args:
        prepared: the run.
        why: one line, what was not finite and when.
        seconds: by stage.

    Returns:
        Plain values by name.
    """
    return {"stopped": why} | describe_run(prepared, seconds, {})


def describe_run(
    prepared: Prepared, seconds: dict[str, float], cost: dict
) -> dict:
    """Numbers of a run that do not depend on what it learnt.

    Args:
        prepared: the run.
        seconds: by stage.
        cost: numbers to add to those of memory.

    Returns:
        Plain values by name.
    """
    labelled, config = prepared.labelled, prepared.config
    stored = prepared.task.stored()
    kind = prepared.report.kind
    return {
        **({"task": stored} if stored else {}),
        **({"input": kind} if kind != "image" else {}),
        "monitor": objective_of(config, prepared.task).monitor,
        "data": {**labelled.counts, "fingerprint": labelled.fingerprint},
        "class_names": list(labelled.class_names),
        "model": {
            # A file's folders tell names, and are in run.flags.
            "backbone": os.path.basename(config.backbone),
            "parameters": prepared.model.count_params(),
            **labelled.train.decoding.numbers(),
            **prepared.network,
            "precision": config.precision,
        },
        "date": datetime.date.today().isoformat(),
        "device": prepared.device,
        "seed": config.seed,
        "batch_size": config.batch_size,
        "seconds": seconds,
        "cost": {
            "peak_memory_bytes": peak_memory(),
            **device_memory_numbers(),
            **cost,
        },
        "versions": run_card.versions(),
    }


def compared(run: Run) -> list[dict]:
    """Which of two had the same test pictures right, as four counts each."""
    fit, evaluations = run.fit, run.evaluations
    names = [result.phase.name for result in fit.phases]
    kept = names[fit.kept], evaluations[fit.kept]
    pairs = [
        (names[0], evaluations[0], names[i], evaluations[i])
        for i in range(1, len(names))
    ]
    if run.scratch is not None:
        pairs.append(("scratch", run.scratch, *kept))
    if run.baseline is not None:
        pairs.append(("baseline", run.baseline.evaluation, *kept))
    if run.head is not None:
        pairs.append((*kept, "published", run.head.evaluation))
    return [
        {"first": first, "second": second} | run.prepared.task.compare(one, two)
        for first, one, second, two in pairs
    ]


def phase_numbers(
    result: PhaseResult, evaluation: Evaluation, examples: int
) -> dict:
    """One phase as metrics.json holds it; it trained on so many pictures.

    Args:
        result: what the phase gave.
        evaluation: of the test split, with its best weights.
        examples: how many it trained on in an epoch.

    Returns:
        Plain values by name.
    """
    epochs = result.last_epoch - result.first_epoch + 1
    return {
        "name": result.phase.name,
        "solver": result.phase.solver,
        "unfreeze_from": result.phase.unfreeze_from,
        "adapts": result.phase.adapts_by().describe(),
        "trainable_parameters": result.trainable_parameters,
        "first_epoch": result.first_epoch,
        "last_epoch": result.last_epoch,
        "best_epoch": result.best_epoch,
        "at_best_epoch": result.best_logs,
        "share": result.share,
        "gain": result.gain,
        "seconds": round(result.seconds, 3),
        "pictures_per_second": round(epochs * examples / result.seconds, 3),
        "test": evaluation.metrics,
    }
