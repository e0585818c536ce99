"""Which precision pays on this machine: timed once, and remembered.

    precision = choose_precision(network, device="cpu", name="VGG16")
    network computes in it after set_precision(network, precision)

In: a network and a device. Out: "float32", "mixed_bfloat16" or
"mixed_float16". bfloat16 halves the time of VGG16 on a CPU that has it, and
slows small MobileNets down, so it is measured: a batch under each precision
that the machine computes natively, forward where layers stay frozen, forward
and back where all train. What was found is kept in the user's cache folder by
machine, network and size.
"""

import contextlib
import hashlib
import json
import pathlib
import platform
import time

import keras
import numpy as np
import tensorflow as tf

from tl_keras import atomic, log
from tl_keras.cache import user_cache
from tl_keras.compute.gpu_gradients import quick_gradients
from tl_keras.keras_globals import standard_globals
from tl_keras.networks import (
    inference,
    inner_layers,
    multiply_adds,
    ordered_nodes,
    set_precision,
)

# A network cheaper than this for one picture gains nothing that could be seen.
MIN_MULTIPLY_ADDS = 1e9
CPU_EXAMPLES, GPU_EXAMPLES = 8, 64  # of the batch that is timed
CPU_TRAINED, GPU_TRAINED = 4, 32  # the same, of a step of training
ROUNDS = 3


@standard_globals()
def choose_precision(
    network: keras.Model, *, device: str, name: str, training: bool = False
) -> str:
    """The fastest precision for a network on a device.

    Args:
        network: pictures (batch, size, size, channels) -> features, in
            float32; it is left so.
        device: "cpu" or "gpu".
        name: of the network, to remember it by.
        training: all of its layers will train; else what counts is the
            forward pass.

    Returns:
        "float32", "mixed_bfloat16" or "mixed_float16". float32 without timing
        where the machine has nothing better or the network is too small.
        float16, which needs its loss scaled, only where there is no bfloat16.
    """
    cost = sum(multiply_adds(node) for node in ordered_nodes(network))
    candidates = native_precisions(device)
    if "mixed_bfloat16" in candidates:
        candidates = [c for c in candidates if c != "mixed_float16"]
    if len(candidates) == 1 or cost < MIN_MULTIPLY_ADDS:
        return "float32"
    about = [machine(device), tf.__version__, keras.__version__, name, cost,
             list(network.input_shape[1:]), candidates,
             *(["training"] if training else [])]  # fmt: skip
    key = hashlib.sha256(json.dumps(about).encode()).hexdigest()
    file = user_cache("precision") / f"{key}.json"
    known = _remembered(file, candidates)
    if known:
        return known
    if training:
        examples = CPU_TRAINED if device == "cpu" else GPU_TRAINED
        seconds = time_training(
            network, candidates, examples, gpu=device == "gpu"
        )
    else:
        examples = CPU_EXAMPLES if device == "cpu" else GPU_EXAMPLES
        seconds = time_precisions(network, candidates, examples)
    best = min(seconds, key=seconds.get)
    log.info(
        "precision: "
        + ", ".join(f"{p} {s:.3f} s" for p, s in seconds.items())
        + f" for {examples} pictures{' in training' * training}: {best}"
    )
    # What cannot be remembered is timed again.
    with contextlib.suppress(OSError), atomic.replacing(file) as temporary:
        temporary.write_text(json.dumps({"precision": best, "about": about}))
    return best


def native_precisions(device: str) -> list[str]:
    """What a device computes without a detour, float32 first."""
    found = ["float32"]
    if device == "cpu":
        if {"avx512_bf16", "amx_bf16"} & cpu_flags():
            found.append("mixed_bfloat16")
        return found
    gpu = tf.config.list_physical_devices("GPU")[0]
    details = tf.config.experimental.get_device_details(gpu)
    capability = details.get("compute_capability", (0, 0))
    if capability >= (8, 0):
        found.append("mixed_bfloat16")
    if capability >= (7, 0):
        found.append("mixed_float16")
    return found


def cpu_flags() -> set[str]:
    """The CPU's extensions as Linux names them; empty elsewhere."""
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    lines = (line.partition(":") for line in text.splitlines())
    return next(
        (set(v.split()) for k, _, v in lines if k.strip() == "flags"), set()
    )


def machine(device: str) -> str:
    """What the speed of a device depends on, in words."""
    if device == "gpu":
        gpu = tf.config.list_physical_devices("GPU")[0]
        details = tf.config.experimental.get_device_details(gpu)
        return str(details.get("device_name"))
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    flags = " ".join(sorted(cpu_flags()))
    digest = hashlib.sha256(flags.encode()).hexdigest()[:16]
    return f"{platform.node()} {platform.machine()} {digest} {threads}"


def time_precisions(
    network: keras.Model, candidates: list[str], examples: int
) -> dict[str, float]:
    """Seconds of one batch forward under each precision.

    The best of some rounds, which take turns, so that a busy moment hits all
    alike.

    Args:
        network: from pictures to features; its precision is as it was
            afterwards.
        candidates: names of Keras dtype policies, such as "mixed_bfloat16".
        examples: how many a batch has.

    Returns:
        Name -> seconds.
    """
    return _timed(
        network,
        candidates,
        examples,
        lambda: inference(network, constant=True),
    )


def time_training(
    network: keras.Model,
    candidates: list[str],
    examples: int,
    *,
    gpu: bool = False,
) -> dict[str, float]:
    """Seconds of one batch forward and back under each precision.

    No weight moves, and BatchNorm stays still, as it does in training.

    Args:
        network: from pictures to features; its precision is as it was
            afterwards.
        candidates: names of Keras dtype policies, such as "mixed_bfloat16".
        examples: how many a batch has.
        gpu: take the gradients that a GPU is quick at, as its steps do.

    Returns:
        Name -> seconds.
    """

    def made():
        variables = [v.value for v in network.trainable_variables]

        @tf.function(autograph=False)
        def step(batch):
            with quick_gradients(gpu), tf.GradientTape() as tape:
                out = network(batch, training=False)
                loss = tf.reduce_mean(tf.square(tf.cast(out, tf.float32)))
            gradients = tape.gradient(loss, variables)
            # One number that needs them all.
            return tf.add_n([tf.reduce_sum(g) for g in gradients])

        return lambda batch: step(tf.constant(batch)).numpy()

    return _timed(network, candidates, examples, made)


def _timed(network, candidates, examples: int, made) -> dict[str, float]:
    """The best seconds of what `made` makes under each precision."""
    shape = (examples, *network.input_shape[1:])
    batch = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    before = {layer: layer.dtype_policy for layer in inner_layers(network)}
    runs = {}
    try:
        for precision in candidates:
            set_precision(network, precision)
            # Traced in it, and stays so.
            runs[precision] = made()
            runs[precision](batch)
    finally:
        for layer, policy in before.items():
            layer.dtype_policy = policy
    seconds = dict.fromkeys(candidates, float("inf"))
    for _ in range(ROUNDS):
        for precision, run in runs.items():
            began = time.perf_counter()
            run(batch)
            spent = time.perf_counter() - began
            seconds[precision] = min(seconds[precision], spent)
    return seconds


def _remembered(file: pathlib.Path, candidates: list[str]) -> str | None:
    try:
        known = json.loads(file.read_text())["precision"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return known if known in candidates else None
