"""How far a run has come: its `state.json`.

    state = RunState.new(weights=..., versions=...)
    write_state(folder, state)
    read_state(folder).is_finished

In: what a process learns of a run. Out: what the next one has to know: which
run it is, what it began with, what it had to do without and how it ended.
"""

import dataclasses
import json
import secrets
from collections.abc import Mapping
from typing import Self

from tl_keras import atomic
from tl_keras.runs.folder import RunFolder

# Of the saves and of this file: an unfinished run of another one is not gone
# on with. The first version wrote none.
FORMAT = 2
UNFINISHED, DIVERGED, FINISHED = "unfinished", "diverged", "finished"


@dataclasses.dataclass(frozen=True)
class RunState:
    """What state.json holds.

    Attributes:
        id: drawn once for a run; its export carries it.
        weights: SHA-256 of all variables before the first step.
        versions: of what computes, by name.
        state: UNFINISHED, DIVERGED or FINISHED.
        format: as `FORMAT`; 1 where none is written.
        left_out: pictures to train on that were lost: id -> [class, why].
        batch_size: what `--auto_batch` had to go down to.
        refused: why its model is not published ("why"), and the standard it
            was judged by ("by").
        advice: what more labels would bring; none yet, or none can be given.
        search: the plan of a search ("plan"), or why there is none ("why").
        why: it diverged.
        version: what it has published.
    """

    id: str
    weights: str
    versions: Mapping[str, str]
    state: str = UNFINISHED
    format: int = 1
    left_out: Mapping[str, list[str]] = dataclasses.field(default_factory=dict)
    batch_size: int | None = None
    refused: Mapping | None = None
    advice: Mapping | None = None
    search: Mapping | None = None
    why: str = ""
    version: int | None = None

    @classmethod
    def new(cls, weights: str, versions: Mapping[str, str]) -> Self:
        """That of a run that begins."""
        return cls(secrets.token_hex(16), weights, versions, format=FORMAT)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.state == FINISHED

    @property
    def is_diverged(self) -> bool:
        """Whether it ended since its loss, or a weight, was no number."""
        return self.state == DIVERGED


def read_state(folder: RunFolder) -> RunState:
    """The state of the run in a folder.

    Raises:
        OSError, ValueError, TypeError: there is none that we have written.
    """
    values = json.loads(folder.state.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError(f"{folder.state.name}: expected a JSON object")
    known = {field.name for field in dataclasses.fields(RunState)}
    # A newer program may say more.
    return RunState(**{n: v for n, v in values.items() if n in known})


def write_state(folder: RunFolder, state: RunState) -> None:
    """Writes it, whole or not at all; what has not happened is left out."""
    values = {
        field.name: value
        for field in dataclasses.fields(state)
        if (value := getattr(state, field.name)) not in (None, "", {})
    }
    with atomic.replacing(folder.state) as temporary:
        temporary.write_text(json.dumps(values, indent=1), encoding="utf-8")
