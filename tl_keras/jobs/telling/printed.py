"""What a run prints: its data, its plan, and what came of it.

In: what was prepared, or the metrics. Out: the few lines that a person reads.
"""

import shutil

from tl_keras import run_card
from tl_keras.audit import Report, named
from tl_keras.inputs.kinds import nouns
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.planning import plan_phases, tuned_in_vain
from tl_keras.jobs.preparation import (
    Prepared,
    done_once,
    many_of,
    trainable_in,
)
from tl_keras.jobs.searching import Searches, candidates_of_run
from tl_keras.jobs.telling.estimate import Estimate, settings_given
from tl_keras.sources import LabelledSplits
from tl_keras.training import FEWEST_TO_JUDGE, Phase

# Bytes on disk for one float32 parameter: one in the SavedModel, one in
# model.keras.
BYTES_PER_PARAMETER = 8
MAX_PRINTED = 5  # pictures that rounding gives another class


def describe_data(report: Report, labelled: LabelledSplits) -> str:
    """What the check says, how many pictures of how many classes, the books."""
    used = ", ".join(
        f"{n:,} {split}" for split, n in labelled.counts["used"].items()
    )
    ignored = labelled.counts["ignored"]
    line = (
        f"data: {labelled.counts['found']:,} found = {used} used + "
        f"{labelled.counts['skipped']:,} skipped + "
        f"{sum(ignored.values()):,} ignored; "
        f"{len(labelled.class_names)} classes"
    )
    lines = [*named(report), line]
    lines += [f"  ignored {n:,}: {why}" for why, n in ignored.items()]
    return "\n".join(
        [
            *lines,
            *(f"  of the used {n:,}: {w}" for w, n in report.notes.items()),
        ]
    )


def describe_plan(
    prepared: Prepared, told: Estimate, searched: Searches
) -> str:
    """What a run would do: what matters first, its settings last.

    Args:
        prepared: the run.
        told: how long it will take.
        searched: what a search would try.

    Returns:
        Data, time, phases, device and disk, and every setting.
    """
    config, train = prepared.config, prepared.labelled.train
    phases = prepared.phases
    after = describe_vain(prepared)
    if searched.plan:
        phases = phases[:1]
        after = ["then what the folds found best, where that is surely better"]
    elif searched.if_poor:
        after += ["or what the folds found best, where the head is poor"]
    lines = [
        describe_data(prepared.report, prepared.labelled),
        *([prepared.unlabelled.describe()] if prepared.unlabelled else []),
        told.describe(),
        *describe_strategy(prepared, searched),
        f"to: {config.run_folder()}",
        *_disk(prepared),
        f"device: {prepared.device}; input {train.decoding.in_words()}; "
        f"{len(train):,} training {many_of(prepared)} in batches of "
        f"{config.batch_size}; precision {config.precision}; XLA {config.jit}",
        "phases:",
        *(line for phase in phases for line in _of(prepared, phase)),
        *(f"  {line}" for line in after),
        "",
        "settings that were given or decided:",
        *(f"  {line}" for line in settings_given(prepared)),
        "all settings:",
        *(f"  {line}" for line in config.to_flags().splitlines()),
        "nothing was written; leave --dry_run out to begin",
    ]
    return "\n".join(lines)


def describe_strategy(prepared: Prepared, searched: Searches) -> list[str]:
    """What a search tries, or why there is none; [] where none is asked."""
    more = []
    if plan := searched.if_poor:
        more = [
            f"  up to {plan.describe()}, where the frozen head gets surely "
            "more than one label in ten wrong out of fold:",
            *(f"    {name}" for name in plan.names),
        ]
    if searched.why:
        return [f"strategy: fine_tune, since {searched.why}", *more]
    if searched.plan:
        names = searched.plan.names
        return [
            f"strategy: {searched.plan.describe()}",
            *(f"  {name}" for name in names),
            *more,
        ]
    if not prepared.config.searches():
        return []
    names = [candidate.name for candidate in candidates_of_run(prepared)]
    return [
        "strategy: as many of these as fit the budget, judged on folds of all "
        "labels:",
        *(f"  {name}" for name in names),
    ]


def _of(prepared: Prepared, phase: Phase) -> list[str]:
    """A phase in a plan."""
    lines = [
        f"  {phase.name}: {phase.how_long()}, {unfrozen(phase)}: "
        f"{trainable_in(prepared, phase):,} of "
        f"{prepared.model.count_params():,} parameters train"
    ]
    if trunk := done_once(prepared, phase):
        lines.append(
            f"    frozen up to {trunk['after']}, {trunk['share']:.0%} of the "
            "multiply-adds, done once"
        )
    return lines


def _disk(prepared: Prepared) -> list[str]:
    folder = prepared.config.run_folder()
    there = next(p for p in (folder, *folder.parents) if p.exists())
    need = prepared.model.count_params() * BYTES_PER_PARAMETER / 1e6
    free = shutil.disk_usage(there).free / 1e6
    return [
        f"disk: about {need:,.0f} MB for the export and model.keras, "
        f"{free:,.0f} MB free"
    ]


def unfrozen(phase: Phase) -> str:
    """What a phase lets move, in words."""
    if phase.strategy is not None:
        return phase.strategy.describe()
    return f"unfrozen from {phase.unfreeze_from}"


def describe_vain(prepared: Prepared) -> list[str]:
    """That a fine-tune is left out, or done and not kept, and the remedy.

    Args:
        prepared: the run; its validation and its phases count.

    Returns:
        A line, or none where validation can tell which phase is better.
    """
    labelled = prepared.labelled
    planned = plan_phases(prepared.config)
    if not tuned_in_vain(planned, labelled):
        return []
    what = "done, but never kept"
    if len(prepared.phases) < len(planned):
        what = "left out"
    one, many = nouns(runs_of(prepared.config).kind)
    remedy = f"add {many} to its val split"
    if "val" not in labelled.own_splits:
        remedy = (
            "raise --val_fraction or --val_examples_per_class "
            "(--val_fraction=0 keeps the last phase unseen)"
        )
    count = len(labelled.val)
    return [
        f"{planned[-1].name}: {what}, since {count:,} "
        f"validation {many if count > 1 else one}, fewer than "
        f"{FEWEST_TO_JUDGE}, cannot tell whether it is better than the frozen "
        f"head - {remedy}"
    ]


def in_words(file: dict) -> str:
    """A file for another runtime, of metrics' `runtimes`, in a line."""
    if file["refused"]:
        return f"{file['file']} not written, {file['refused']}"
    right = ""
    if file["accuracy"] is not None:  # Of numbers none is right or wrong.
        right = f"test accuracy {file['accuracy']:.4f}, "
    return (
        f"{file['file']}, {file['bytes'] / 1e6:,.2f} MB, {right}largest "
        f"difference {file['largest_difference']:.2g}"
    )


def rounding_in_words(found: dict | None, many: str = "pictures") -> list[str]:
    """The predicted classes that rounding changed, if it changed any."""
    if not found or not found["changed"]:
        return []
    named = ", ".join(
        f"{row['id']} ({row['evaluation']}, in the export {row['export']})"
        for row in found["changed_pictures"][:MAX_PRINTED]
    )
    more = ", ..." * (found["changed"] > MAX_PRINTED)
    return [
        f"rounding: {found['changed']:,} test {many} are of another class "
        f"in the export than in the evaluation: {named}{more}"
    ]


def summary(metrics: dict) -> str:
    """The lines printed at the end: what each step was worth, and cost.

    Args:
        metrics: of the finished run, as in metrics.json.

    Returns:
        Lines, with no newline at the end.
    """
    _, many = nouns(metrics.get("input", "image"))
    names = {"head": "frozen backbone", "fine_tune": "fine-tuned"}
    rows = [
        (names.get(p["name"], p["name"]), p["test"],
         "  <- kept" * run_card.is_kept(p, metrics))
        for p in metrics["phases"]
    ]  # fmt: skip
    if "published" in metrics:
        test = metrics["published"]["test"]
        rows.append(("with words beside", test, "  <- kept"))
    if "scratch" in metrics:
        rows.append(("from random weights", metrics["scratch"]["test"], ""))
    if "baseline" in metrics:
        rows.append(("TF-IDF, no network", metrics["baseline"]["test"], ""))
    first, second = run_card.main_numbers(metrics)
    titles = f"{run_card.title(first)} (95 % interval)", run_card.title(second)
    width = max(28, len(titles[0]) + 2)
    lines = ["", f"{'test split':<22}{titles[0]:<{width}}{titles[1]}"]
    for name, test, mark in rows:
        told = run_card.with_interval(first, test)
        beside = run_card.shown(second, test[second])
        lines.append(f"{name:<22}{told:<{width}}{beside}{mark}")
    test = metrics["test"]
    lines += [
        "",
        *run_card.coverage(test),
        *run_card.leakage_lines(metrics),
        *rounding_in_words(metrics["export"]["rounding"], many),
        *(
            f"{name}: {in_words(file)}"
            for name, file in metrics.get("runtimes", {}).items()
        ),
        f"seconds: {metrics['seconds']['total']:.1f}",
    ]
    return "\n".join(lines)
