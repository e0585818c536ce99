"""A run's results -> metrics.json and the other files, and what is printed.

In: what was prepared and what came of it. Out: `run/` filled, and the few
lines a person reads at the end.
"""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Sequence

import numpy as np

from tl_keras import atomic, run_card
from tl_keras.audit import Report, named, seen_in_training, write_reports
from tl_keras.exports import LABELS_FILE, Passed, labels_text
from tl_keras.jobs.measuring import (
    device_memory_numbers,
    file_bytes,
    peak_memory,
    signatures,
)
from tl_keras.jobs.preparation import Prepared
from tl_keras.networks import probabilities_model
from tl_keras.sources import ImageSplits
from tl_keras.strategies import count_trainable, cut_for, set_trainable
from tl_keras.tasks.multiclass import find_suspects
from tl_keras.tasks.multiclass.evaluation import Evaluation, wilson_interval
from tl_keras.training import FitResult, Phase, PhaseResult

# Bytes on disk for one float32 parameter: one in the SavedModel, one in
# model.keras.
BYTES_PER_PARAMETER = 8
MOST_PRINTED = 5  # pictures that rounding gives another class


def collect(
    prepared: Prepared,
    fit: FitResult,
    evaluations: Sequence[Evaluation],
    scratch: Evaluation | None,
    version: pathlib.Path | None,
    passed: Passed | None,
    seconds: dict[str, float],
    cost: dict,
) -> dict:
    """All numbers of a run, as metrics.json holds them.

    `version` and `passed` are None where the export was not published; `cost`
    is `measuring.measured`.
    """
    images = prepared.images
    if version is not None:
        cost = {**cost, "export_bytes": file_bytes(version)}
    metrics = {
        "test": evaluations[fit.kept].metrics,
        "kept_phase": fit.phases[fit.kept].phase.name,
        "phases": [
            phase_numbers(result, evaluation, len(images.train))
            | {"done_once": done_once(prepared, result.phase)}
            for result, evaluation in zip(fit.phases, evaluations, strict=True)
        ],
    }
    if scratch is not None:
        metrics["scratch"] = {"test": scratch.metrics}
    if leaked := leakage(prepared, evaluations[fit.kept]):
        metrics["leakage"] = leaked
    return (
        metrics
        | {
            "comparisons": compared(fit, evaluations, scratch),
            "export": version
            and {
                "version": int(version.name),
                "signatures": signatures(version),
                "largest_difference": passed.difference,
                "rounding": passed.rounding and passed.rounding.numbers(),
                "warm_up_requests": passed.warm_ups,
            },
        }
        | describe_run(prepared, seconds, cost)
    )


def leakage(prepared: Prepared, evaluation: Evaluation) -> dict:
    """What splits share that the data brought, and the accuracy without it.

    Returns:
        {} where no picture's bytes are in two splits; else "val" and "test",
        how many of theirs are in training, and "without": the test split
        without them.
    """
    splits = prepared.images.examples()
    found = seen_in_training(prepared.report.rows, splits)
    if not found:
        return {}
    numbers: dict = {split: len(places) for split, places in found.items()}
    kept = np.ones(len(evaluation.labels), bool)
    kept[found.get("test", [])] = False
    if kept.any():
        right = evaluation.predicted[kept] == evaluation.labels[kept]
        numbers["without"] = {
            "examples": int(kept.sum()),
            "accuracy": float(right.mean()),
            "accuracy_interval": wilson_interval(int(right.sum()), len(right)),
        }
    return numbers


def stopped(prepared: Prepared, why: str, seconds: dict[str, float]) -> dict:
    """What metrics.json holds of a run that diverged: no test, but why."""
    return {"stopped": why} | describe_run(prepared, seconds, {})


def describe_run(
    prepared: Prepared, seconds: dict[str, float], cost: dict
) -> dict:
    """Numbers of a run that do not depend on what it learnt."""
    images, config = prepared.images, prepared.config
    return {
        "monitor": config.monitor,
        "data": {**images.books, "fingerprint": images.fingerprint},
        "class_names": list(images.class_names),
        "model": {
            # A file's folders tell names, and are in run.flags.
            "backbone": os.path.basename(config.backbone),
            "parameters": prepared.model.count_params(),
            "image_size": images.train.image_size,
            "precision": config.precision,
        },
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


def compared(
    fit: FitResult,
    evaluations: Sequence[Evaluation],
    scratch: Evaluation | None,
) -> list[dict]:
    """Which of two had the same test pictures right, as four counts each."""
    names = [result.phase.name for result in fit.phases]
    pairs = [
        (names[0], evaluations[0], names[i], evaluations[i])
        for i in range(1, len(names))
    ]
    if scratch is not None:
        pairs.append(
            ("scratch", scratch, names[fit.kept], evaluations[fit.kept])
        )
    return [
        {"first": first, "second": second}
        | run_card.paired_counts(one.labels, one.predicted, two.predicted)
        for first, one, second, two in pairs
    ]


def phase_numbers(
    result: PhaseResult, evaluation: Evaluation, pictures: int
) -> dict:
    """One phase as metrics.json holds it; it trained on so many pictures."""
    epochs = result.last_epoch - result.first_epoch + 1
    return {
        "name": result.phase.name,
        "solver": result.phase.solver,
        "unfreeze_from": result.phase.unfreeze_from,
        "trainable_parameters": result.trainable_parameters,
        "first_epoch": result.first_epoch,
        "last_epoch": result.last_epoch,
        "best_epoch": result.best_epoch,
        "at_best_epoch": result.best_logs,
        "share": result.share,
        "gain": result.gain,
        "seconds": round(result.seconds, 3),
        "pictures_per_second": round(epochs * pictures / result.seconds, 3),
        "test": evaluation.metrics,
    }


def write_record(
    prepared: Prepared,
    folder: pathlib.Path,
    evaluation: Evaluation,
    fit: FitResult,
) -> None:
    """Fills `run/` with all but what it began with, history and metrics."""
    images = prepared.images
    names = images.class_names
    write_evaluation(prepared, folder, evaluation)
    run_card.plot_curves(
        folder / "curves.png", fit.history, fit.phases[fit.kept].best_epoch
    )
    with atomic.replacing(folder / "model.keras") as temporary:
        probabilities_model(prepared.model).save(temporary)
    with atomic.replacing(folder / LABELS_FILE) as temporary:
        temporary.write_text(labels_text(names), encoding="utf-8")


def write_evaluation(
    prepared: Prepared, folder: pathlib.Path, evaluation: Evaluation
) -> None:
    """The kept weights' test predictions: each, and counted."""
    images = prepared.images
    names = images.class_names
    run_card.write_predictions(
        folder / "predictions.csv", evaluation, images.test.examples.ids, names
    )
    run_card.plot_confusion(
        folder / "confusion.png", evaluation.confusion, names
    )


def describe_data(report: Report, images: ImageSplits) -> str:
    """What the check says, how many pictures of how many classes, the books."""
    used = ", ".join(
        f"{n:,} {split}" for split, n in images.books["used"].items()
    )
    ignored = images.books["ignored"]
    line = (
        f"data: {images.books['found']:,} found = {used} used + "
        f"{images.books['skipped']:,} skipped + "
        f"{sum(ignored.values()):,} ignored; {len(images.class_names)} classes"
    )
    lines = [*named(report), line]
    lines += [f"  ignored {n:,}: {why}" for why, n in ignored.items()]
    return "\n".join(
        [
            *lines,
            *(f"  of the used {n:,}: {w}" for w, n in report.notes.items()),
        ]
    )


def describe_plan(prepared: Prepared) -> str:
    """What a run would do: settings, phases, parameters, disk."""
    config = prepared.config
    model = prepared.model
    parameters = model.count_params()
    folder = config.run_folder()
    there = next(p for p in (folder, *folder.parents) if p.exists())
    lines = ["settings:"]
    lines += [f"  {line}" for line in config.to_flags().splitlines()]
    lines += [
        "",
        describe_data(prepared.report, prepared.images),
        "",
        "phases:",
    ]
    done = 0
    for phase in prepared.phases:
        lines.append(
            f"  {phase.name}: {phase.how_long(done)}, unfrozen from "
            f"{phase.unfreeze_from}: {trainable_in(prepared, phase):,} of "
            f"{parameters:,} parameters train"
        )
        done += 1 if phase.solver == "lbfgs" else phase.epochs
        if trunk := done_once(prepared, phase):
            lines.append(
                f"    frozen up to {trunk['after']}, "
                f"{trunk['share']:.0%} of the multiply-adds, done once"
            )
    need = parameters * BYTES_PER_PARAMETER / 1e6
    free = shutil.disk_usage(there).free / 1e6
    lines += [
        "",
        f"device: {prepared.device}; input {model.input_shape[1]} x "
        f"{model.input_shape[2]} pixels; {len(prepared.images.train):,} "
        f"training pictures in batches of {config.batch_size}; precision "
        f"{config.precision}; XLA {config.jit}",
        f"disk: about {need:,.0f} MB for the export and model.keras in "
        f"{folder}, {free:,.0f} MB free",
    ]
    return "\n".join(lines)


def note_suspects(
    prepared: Prepared, fit: FitResult, folder: pathlib.Path
) -> None:
    """Adds the labels that the solved head doubts to the data report."""
    judged = [p.out_of_fold for p in fit.phases if p.out_of_fold is not None]
    if not judged:
        return
    images = prepared.images
    if len(judged[0]) != len(images.train):
        return  # A picture was lost since they were judged.
    suspects = find_suspects(
        images.train.examples, judged[0], images.class_names
    )
    if suspects:
        report = dataclasses.replace(prepared.report, suspects=suspects)
        write_reports(report, folder)
        print(
            f"labels to look at: {len(suspects)} training pictures are taken "
            f"for another class, in {folder / 'data_report.html'}",
            flush=True,
        )


def done_once(prepared: Prepared, phase: Phase) -> dict | None:
    """Where a phase is cut, and what share of the work lies before."""
    if prepared.config.feature_cache == "off":
        return None
    cut = cut_for(prepared.model, phase.unfreeze_from)
    return cut and {"after": cut.after, "share": round(cut.trunk_share, 4)}


def trainable_in(prepared: Prepared, phase: Phase) -> int:
    """How many parameters a phase trains."""
    set_trainable(
        prepared.model,
        phase.unfreeze_from,
        train_batch_norm=phase.train_batch_norm,
    )
    return count_trainable(prepared.model)[0]


def in_words(file: dict) -> str:
    """A file for another runtime, of metrics' `runtimes`, in a line."""
    if file["refused"]:
        return f"{file['file']} not written, {file['refused']}"
    return (
        f"{file['file']}, {file['bytes'] / 1e6:,.2f} MB, test accuracy "
        f"{file['accuracy']:.4f}, largest difference "
        f"{file['largest_difference']:.2g}"
    )


def rounding_in_words(found: dict | None) -> list[str]:
    """The predicted classes that rounding changed, if it changed any."""
    if not found or not found["changed"]:
        return []
    named = ", ".join(
        f"{row['id']} ({row['evaluation']}, in the export {row['export']})"
        for row in found["changed_pictures"][:MOST_PRINTED]
    )
    more = ", ..." * (found["changed"] > MOST_PRINTED)
    return [
        f"rounding: {found['changed']:,} test pictures are of another class "
        f"in the export than in the evaluation: {named}{more}"
    ]


def summary(metrics: dict, version: pathlib.Path, folder: pathlib.Path) -> str:
    """The lines printed at the end: what transfer bought, and where it is."""
    names = {"head": "frozen backbone", "fine_tune": "fine-tuned"}
    rows = [
        (names.get(p["name"], p["name"]), p["test"],
         "  <- kept" if p["name"] == metrics["kept_phase"] else "")
        for p in metrics["phases"]
    ]  # fmt: skip
    if "scratch" in metrics:
        rows.append(("from random weights", metrics["scratch"]["test"], ""))
    lines = ["", f"{'test split':<22}{'accuracy (95 % interval)':<28}macro-F1"]
    for name, test, mark in rows:
        low, high = test["accuracy_interval"]
        shown = f"{test['accuracy']:.3f} ({low:.3f} to {high:.3f})"
        lines.append(f"{name:<22}{shown:<28}{test['macro_f1']:.3f}{mark}")
    test = metrics["test"]
    lines += [
        "",
        f"test accuracy: {test['accuracy']:.4f} on {test['examples']:,} "
        f"pictures, loss {test['loss']:.4f}",
        *run_card.leakage_lines(metrics),
        f"export: {version} (loaded and checked in a fresh process)",
        *rounding_in_words(metrics["export"]["rounding"]),
        *(
            f"{name}: {in_words(file)}"
            for name, file in metrics.get("runtimes", {}).items()
        ),
        f"record: {folder}",
        f"page: {folder / 'report.html'}",
        f"seconds: {metrics['seconds']['total']:.1f}",
    ]
    return "\n".join(lines)
