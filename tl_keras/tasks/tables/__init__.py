"""What tables say is predicted: decided by them and told, or asked.

    reading = read_targets({"train": "pets.csv"}, task="auto")
    reading.task, reading.targets.names, reading.told

In: tables and what a person has said of them. Out: a `Reading`.
"""

from tl_keras.tasks.tables.reading import (
    CLASSES,
    Reading,
    read_targets,
    targets_of,
)

__all__ = ["CLASSES", "Reading", "read_targets", "targets_of"]
