"""The model in memory, asked what its export is asked.

    reference = Reference(model)
    reference.exact(pixels), reference.here(pixels)

In: a classifier. Out: its answers twice: in float32 on the CPU, where they
settle whether an export is the same function, and in the precision and on the
device of this process, where they show how far that moves them. On a CPU
without bfloat16 or float16 in the graph the two are one.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from tl_keras.exports.float32 import can_be_float32, in_float32, rounds_inside
from tl_keras.exports.signatures import answering_model
from tl_keras.networks import inputs_of, with_less_at_once
from tl_keras.tasks.task import Task


class Reference:
    """A model's answers, exact ones and those of this device.

    Args:
        model: inputs -> outputs. Traced once, with the weights as they are.
        task: what is predicted; one class of several when None.

    Attributes:
        exact_here: whether this process computes exactly anyway.
    """

    def __init__(self, model: keras.Model, task: Task | None = None):
        answering = answering_model(model, task)
        specs = tf.nest.map_structure(
            lambda given: tf.TensorSpec(given.shape, given.dtype),
            inputs_of(model),
        )
        self._specs = tf.nest.flatten(specs)
        self._run = tf.function(
            lambda *batch: answering(
                tf.nest.pack_sequence_as(specs, batch), training=False
            ),
            autograph=False,
        ).get_concrete_function(*self._specs)
        self._graph = self._run.graph.as_graph_def()
        # TF32 and kernels that differ from batch to batch are GPUs'.
        self.exact_here = not (
            rounds_inside(self._graph) or tf.config.get_visible_devices("GPU")
        )
        self._on_cpu = None
        self._ask = with_less_at_once(self._answers)

    def here(self, batch) -> dict[str, np.ndarray]:
        """As this process computes it.

        Args:
            batch: what the model takes, arrays (batch, ...).

        Returns:
            `Task.answer` and "features", float32, batch first.
        """
        return self._ask(batch)

    def _answers(self, batch) -> dict[str, np.ndarray]:
        answers = self._run(
            *(
                tf.constant(array, spec.dtype)
                for array, spec in zip(
                    tf.nest.flatten(batch), self._specs, strict=True
                )
            )
        )
        return {name: value.numpy() for name, value in answers.items()}

    def exact(self, batch) -> dict[str, np.ndarray]:
        """The same in float32 on the CPU."""
        if self.exact_here:
            return self.here(batch)
        if self._on_cpu is None:
            self._on_cpu = OnCpu(self._run, self._exact_graph())
        return self._on_cpu(batch)

    def rounded_otherwise(self, batch) -> dict[str, np.ndarray]:
        """Exact answers of the same model with each weight a unit beside."""
        return OnCpu(self._run, self._exact_graph(), _a_unit_beside)(batch)

    def _exact_graph(self) -> graph_pb2.GraphDef:
        graph = self._graph
        return in_float32(graph) if can_be_float32(graph) else graph


def _a_unit_beside(array: np.ndarray) -> np.ndarray:
    """Float numbers moved by one unit of rounding, the same ones each time."""
    if not np.issubdtype(array.dtype, np.floating):
        return array
    up = np.random.default_rng(0).random(array.shape) < 0.5
    return np.nextafter(array, np.where(up, np.inf, -np.inf), dtype=array.dtype)


class OnCpu:
    """A traced function in a session that has no other device.

    `tf.device` would not do: a variable on a GPU is read there.

    Args:
        run: the traced function, whose variables are copied.
        graph: its graph, or one that differs from it in types alone.
        moved: a variable's value -> the one that its copy gets.
    """

    def __init__(
        self,
        run,
        graph: graph_pb2.GraphDef,
        moved: Callable[[np.ndarray], np.ndarray] = np.asarray,
    ):
        threads = tf.config.threading
        config = tf.compat.v1.ConfigProto(
            device_count={"GPU": 0},
            intra_op_parallelism_threads=(
                threads.get_intra_op_parallelism_threads()
            ),
        )
        outputs = {k: t.name for k, t in run.structured_outputs.items()}
        variables = {id(v.handle): v for v in run.graph.variables}
        values = {
            inner.name: variables.get(id(outer), outer).numpy()
            for outer, inner in run.graph.captures
        }
        held_by = {
            inner.name: variables.get(id(outer))
            for outer, inner in run.graph.captures
        }
        given = [t.name for t in run.inputs if t.name not in values]
        with tf.Graph().as_default() as held:
            self._session = tf.compat.v1.Session(graph=held, config=config)
            captured = {
                name: tf.constant(value)
                if held_by[name] is None
                else self._variable(name, moved(value))
                for name, value in values.items()
            }
            tensors = tf.import_graph_def(
                graph, captured, [*given, *outputs.values()], name=""
            )
        self._inputs = tensors[: len(given)]
        self._outputs = dict(zip(outputs, tensors[len(given) :], strict=True))

    def _variable(self, name: str, value: np.ndarray) -> tf.Tensor:
        """A copy that lives in the session."""
        handle = tf.raw_ops.VarHandleOp(
            dtype=value.dtype, shape=value.shape, shared_name=name
        )
        given = tf.compat.v1.placeholder(value.dtype, value.shape)
        assign = tf.raw_ops.AssignVariableOp(resource=handle, value=given)
        self._session.run(assign, {given: value})
        return handle

    def __call__(self, batch) -> dict[str, np.ndarray]:
        """Output -> array, for what the model takes, (batch, ...)."""
        arrays = tf.nest.flatten(batch)
        feeds = dict(zip(self._inputs, arrays, strict=True))
        return self._session.run(self._outputs, feeds)
