"""The end of a run: what to type next, and the same for a program.

    print("\\n".join(next_commands(version, folder, "image")))

In: a published version and its run. Out: lines with commands that work when
they are copied; and a mapping that `--json` prints.
"""

import os
import pathlib
import shlex
from collections.abc import Mapping

from tl_keras import run_card
from tl_keras.inputs.kinds import nouns
from tl_keras.runs import RunFolder

EXAMPLES = {"image": "PICTURE.jpg", "text": "'a text'"}


def next_commands(
    version: pathlib.Path, folder: RunFolder, kind: str
) -> list[str]:
    """What to do with a run that is finished, a line each.

    Args:
        version: the SavedModel's folder.
        folder: the run's.
        kind: of input.

    Returns:
        Lines that name what to open, and commands.
    """
    model = shlex.quote(os.fspath(version.parent))
    example = EXAMPLES.get(kind, "INPUT")
    lines = ["next:", f"  open     {folder.page}"]
    lines.append(
        f"  predict  python -m tl_keras.predict {example} --model={model}"
    )
    if folder.serving.is_dir():
        serving = shlex.quote(os.fspath(folder.serving))
        lines.append(
            f"  serve    cd {serving} && docker compose up -d && ./smoke.sh"
        )
    return lines


def for_programs(
    metrics: Mapping, version: pathlib.Path, folder: RunFolder
) -> dict:
    """What `--json` prints of a run: places, and the test split's numbers.

    Args:
        metrics: of the finished run, as in metrics.json.
        version: folder of the published SavedModel.
        folder: the run's.

    Returns:
        Plain values by name.
    """
    return {
        "version": os.fspath(version),
        "run": os.fspath(folder.path),
        "page": os.fspath(folder.page),
        "metrics": os.fspath(folder.metrics),
        "kept_phase": metrics["kept_phase"],
        "test": numbers_alone(metrics["test"]),
        "seconds": metrics["seconds"]["total"],
    }


def numbers_alone(test: Mapping) -> dict:
    """A split's numbers and their intervals, without what is by class."""
    return {
        name: value
        for name, value in test.items()
        if isinstance(value, (int, float))
        or (name.endswith("_interval") and not isinstance(value, Mapping))
    }


def outcome(metrics: Mapping, version: pathlib.Path, folder: RunFolder) -> str:
    """What a run was for: its number, and where everything is.

    Args:
        metrics: of the finished run, as in metrics.json.
        version: folder of the published SavedModel.
        folder: the run's.

    Returns:
        Lines, with no newline at the end.
    """
    test = metrics["test"]
    first, _ = run_card.main_numbers(metrics)
    _, many = nouns(metrics.get("input", "image"))
    return "\n".join(
        [
            f"test {run_card.title(first)}: "
            f"{run_card.shown(first, test[first], 4)} on "
            f"{test['examples']:,} {many}, loss {test['loss']:.4f}",
            f"export: {version} (loaded and checked in a fresh process)",
            f"record: {folder.path}",
            f"page: {folder.page}",
        ]
    )
