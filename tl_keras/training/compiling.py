"""What a phase is compiled with: optimizer, loss, metrics; and XLA or not.

In: a model to fit, a phase, a task and what computes. Out: the model,
compiled for Keras's `fit` with `training.steps`.
"""

import contextlib

import keras
import tensorflow as tf

from tl_keras import log
from tl_keras.compute.jit import Decision, Work, decide_jit
from tl_keras.networks import multiply_adds, ordered_nodes
from tl_keras.tasks.task import Task
from tl_keras.training.phase import Phase
from tl_keras.training.steps import Compute

USUAL_BATCH = 32  # taken where nobody says how large batches are


def compile_for_phase(
    fitting: keras.Model,
    phase: Phase,
    task: Task,
    compute: Compute,
    jit: bool,
    model: keras.Model | None = None,
) -> None:
    """Gives a model to fit a new optimizer, the loss and metrics.

    Args:
        fitting: the model that the phase fits; changed in place.
        phase: whose optimizer it is.
        task: whose loss and metrics they are.
        compute: on which device.
        jit: whether its steps are compiled with XLA (`jit_for`).
        model: the whole classifier, of which `fitting` may be the end.
    """
    half = any(layer.compute_dtype == "float16" for layer in fitting.layers)
    on_gpu = compute.device == "gpu"
    place = contextlib.nullcontext()
    if on_gpu and not jit:
        # The learning rate is set before each step, which on a GPU waits for
        # all steps before. (XLA takes no variable of the host.)
        place = tf.device("CPU:0")
    with place:
        optimizer = phase.new_optimizer(
            loss_scaling=half, fused=on_gpu, model=model
        )
    fitting.compile(
        optimizer=optimizer,
        loss=task.loss(fitting.output_shape[-1]),
        metrics=task.metrics(),
        jit_compile=False,  # `Steps` does it, where it pays.
    )
    # Before the first trace: until it is built, Keras writes the first loss
    # scale into the graph as a constant.
    optimizer.build(fitting.trainable_variables)


def jit_for(
    fitting: keras.Model,
    phase: Phase,
    compute: Compute,
    train: tf.data.Dataset,
    batch_size: int | None,
) -> bool:
    """Whether a phase's steps are compiled with XLA; says so on a GPU.

    Args:
        fitting: the model that the phase fits.
        phase: for its epochs, and its name in the log.
        compute: the device, and what was asked for.
        train: an epoch, whose length counts.
        batch_size: examples a batch; None where it is not known.

    Returns:
        False where a layer does not support it, whatever was asked for.

    Raises:
        ValueError: `compute.jit` is none of its choices.
    """
    nodes = [node for node in ordered_nodes(fitting) if multiply_adds(node)]
    types = {layer.compute_dtype for layer in fitting.layers}
    half = types & {"float16", "bfloat16"}
    decision = decide_jit(
        compute.jit,
        device=compute.device,
        deterministic=compute.deterministic,
        work=Work(
            steps=phase.epochs * max(0, int(train.cardinality())),
            multiply_adds=sum(map(multiply_adds, nodes)),
            batch_size=batch_size or USUAL_BATCH,
            kernels=len(nodes),
            compute=half.pop() if half else "float32",
        ),
    )
    if decision.on and not all(x.supports_jit for x in fitting.layers):
        decision = Decision(False, "since a layer does not support it")
    if compute.device == "gpu" or compute.jit != "auto":
        log.info(f"phase {phase.name}: {decision}")
    return decision.on
