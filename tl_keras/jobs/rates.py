"""`--find_learning_rate`: which rates the phases can take, before a run.

In: the settings of a run. Out: a plot beside it and lines for a person; nothing
of a run is written.
"""

from tl_keras.compute.devices import own_determinism
from tl_keras.config import TransferConfig
from tl_keras.console import on_console
from tl_keras.jobs.fault_tolerance import enough_memory, readable
from tl_keras.jobs.placing import compute_of
from tl_keras.jobs.preparation import Prepared, prepare
from tl_keras.jobs.task_choice import objective_of
from tl_keras.jobs.training import feature_store, training_data
from tl_keras.keras_globals import standard_globals
from tl_keras.runs import check_writable, leaving_nothing
from tl_keras.training import Phase, find_learning_rate, fit_phases


@on_console()
@standard_globals()
@own_determinism()
def find_rates(config: TransferConfig) -> str:
    """For each phase of gradient steps, a rate; those before it are trained.

    Args:
        config: what a run would do.

    Returns:
        Lines to print: the rates, and where the plots are.

    Raises:
        ConfigError, DataError, MachineError, DivergedError: as of a run.
    """
    config.validate()
    config = config.resolved()
    with leaving_nothing(config.run_folder()):
        check_writable(config.run_folder())
        with enough_memory():
            prepared = prepare(config)
        with readable(prepared.labelled):
            return "\n".join(_of_phases(prepared.hashed()))


def _of_phases(prepared: Prepared) -> list[str]:
    """A line for each phase."""
    config = prepared.config
    store, lines = feature_store(config), []
    train, val = training_data(prepared)
    shared = {
        "features": store,
        "objective": objective_of(config, prepared.task),
        "compute": compute_of(config, prepared.device),
    }
    for phase in prepared.phases:
        if phase.solver == "lbfgs":
            lines.append(f"phase {phase.name}: is solved, without a rate")
        else:
            found = find_learning_rate(prepared.model, phase, train, **shared)
            file = config.run_folder() / f"learning_rates_{phase.name}.png"
            found.plot(file)
            lines.append(
                f"phase {phase.name}: the loss is least at "
                f"{found.at_least:.2g} - try {_flag(phase)}="
                f"{found.suggested:.2g}; plot: {file}"
            )
        if phase is not prepared.phases[-1]:
            # From where a run would begin the next one.
            fit_phases(
                prepared.model, [phase], train, val, **shared,
                verbose=0,
            )  # fmt: skip
    return lines


def _flag(phase: Phase) -> str:
    """The flag of a phase's rate."""
    kind = "head" if phase.name == "head" else "fine_tune"
    return f"--{kind}_learning_rate"
