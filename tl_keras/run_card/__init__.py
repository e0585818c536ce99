"""Results -> the files and the page that people look at after a run.

    write_metrics(folder / "metrics.json", metrics)
    metrics = write_card(folder, album)  # report.html and report.md beside it

In: metrics, an `Evaluation`, a history; then the folder they were written to.
Out, each complete or absent: metrics.json (every number), predictions.csv,
curves.png, confusion.png, and the page. They work on any run's numbers and
know no settings.
"""

from tl_keras.run_card.confusion_plot import plot_confusion
from tl_keras.run_card.curves_plot import plot_curves
from tl_keras.run_card.files import (
    RunRecord,
    read_run,
    versions,
    write_metrics,
    write_predictions,
)
from tl_keras.run_card.page import write_card
from tl_keras.run_card.task_words import (
    coverage,
    is_kept,
    main_numbers,
    shown,
    title,
    with_interval,
)
from tl_keras.run_card.words import leakage as leakage_lines
from tl_keras.tasks.multiclass.pairing import paired_comparison, paired_counts

__all__ = [
    "RunRecord",
    "coverage",
    "is_kept",
    "leakage_lines",
    "main_numbers",
    "paired_comparison",
    "paired_counts",
    "plot_confusion",
    "plot_curves",
    "read_run",
    "shown",
    "title",
    "versions",
    "with_interval",
    "write_card",
    "write_metrics",
    "write_predictions",
]
