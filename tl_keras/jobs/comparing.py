"""Runs -> one page that says which is better, and whether that is sure.

In: a `CompareConfig`. Out: comparison.html and comparison.json in its folder,
and a line a run.
"""

import json
import os
import pathlib

from tl_keras import atomic, log, run_card
from tl_keras.config import CompareConfig
from tl_keras.console import on_console
from tl_keras.run_card.comparison import compare_records, render_comparison
from tl_keras.runs import RunFolder, check_writable, leaving_nothing

PAGE, NUMBERS = "comparison.html", "comparison.json"


@on_console()
def compare_with(config: CompareConfig) -> dict:
    """Does what `python -m tl_keras.compare` was asked.

    Args:
        config: the runs, and where to.

    Returns:
        What comparison.json holds, and `page`.

    Raises:
        DataError: one of them is no run, or they predict different things.
        MachineError: the folder cannot be written.
    """
    output = pathlib.Path(config.output_dir)
    with leaving_nothing(output):
        check_writable(output)
        return _compared(config, output)


def _compared(config: CompareConfig, output: pathlib.Path) -> dict:
    folders = [RunFolder.named(run) for run in dict.fromkeys(config.runs)]
    records = [run_card.read_run(folder.path) for folder in folders]
    numbers = compare_records(records)
    links = [
        os.path.relpath(folder.page.absolute(), output.absolute())
        if folder.page.exists()
        else ""
        for folder in folders
    ]
    page = render_comparison(numbers, records, links)
    for name, text in (
        (PAGE, page),
        (NUMBERS, json.dumps(numbers, indent=2, allow_nan=False) + "\n"),
    ):
        with atomic.replacing(output / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    log.result("\n".join(lines_of(numbers)), whole=True)
    log.result(f"page: {output / PAGE}", whole=True)
    return {**numbers, "page": os.fspath(output / PAGE)}


def lines_of(numbers: dict) -> list[str]:
    """A line a run, then what the paired tests say."""
    main = numbers["main"]
    width = max(len(run["name"]) for run in numbers["runs"]) + 2
    lines = []
    for run in numbers["runs"]:
        told = "no evaluation"
        if run["test"] is not None:
            told = run_card.with_interval(main, run["test"])
        lines.append(f"{run['name']:<{width}}{run_card.title(main)} {told}")
    return [*lines, *(pair["sentence"] for pair in numbers["pairs"])]
