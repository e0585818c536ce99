"""Where a run computes: how much work it is, and on which device.

In: a `TransferConfig`. Out: a device, TensorFlow set up for it; and how the
phases compute on it. The work is reckoned from the listing alone, before
TensorFlow is in use, since after that it cannot change its device.
"""

from tl_keras.compute.devices import choose_device, device_memory
from tl_keras.config import TransferConfig
from tl_keras.errors import TlKerasError
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.listing import list_data
from tl_keras.training import Compute

# Of the GPU's memory, what rows may take that stay there for a phase; the rest
# is for weights, their gradients and moments, and activations.
RESIDENT_SHARE = 0.25


def place(config: TransferConfig) -> str:
    """Sets TensorFlow up for the device of a run: "cpu" or "gpu"."""
    return choose_device(config.device, lambda: multiply_adds(config))


def multiply_adds(config: TransferConfig) -> float | None:
    """About how many a run takes in all; None where that is unknown.

    One forward pass of every picture; and for each epoch of a fine-tune, or of
    the network from random weights, three of each picture to train on:
    forward, and twice that backward. Where layers stay frozen it is less. A
    search by folds takes as much as a fine-tune again at most, or as long as it
    is given: then more is done where it is quicker.
    """
    if config.budget_minutes:
        return None
    cost = forward_cost(config)
    if cost is None:
        return None
    try:
        listing = list_data(config)
    except TlKerasError:
        return None  # The check tells it, with all else that is wrong.
    count = sum(len(examples) for examples in listing.splits.values())
    train = len(listing.splits.get("train", ()))
    if config.train_examples_per_class:
        most = config.train_examples_per_class * len(listing.class_names)
        train = min(train, most)
    epochs = config.fine_tune_epochs * (1 + config.searches())
    if config.compare_scratch:
        epochs += config.head_epochs + config.fine_tune_epochs
    return cost * (count + 3 * epochs * train)


def forward_cost(config: TransferConfig) -> float | None:
    """Multiply-adds of the backbone for one example."""
    return runs_of(config).cost(config)


def compute_of(
    config: TransferConfig, device: str, *, crowded: bool = False
) -> Compute:
    """How the phases of a run compute.

    Args:
        config: the settings.
        device: "cpu" or "gpu".
        crowded: its memory ran out, so nothing stays there but what steps
            need.

    Returns:
        `Compute`.
    """
    memory = 0 if crowded else device_memory()
    return Compute(
        device=device,
        jit=config.jit,
        deterministic=bool(config.deterministic),
        resident_bytes=RESIDENT_SHARE * memory,
        device_bytes=memory,
    )
