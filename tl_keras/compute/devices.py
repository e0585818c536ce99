"""Which device computes, and in which precision.

    name = choose_device("auto")       # "cpu" or "gpu"; before the first op

In: a wish. Out: TensorFlow set up for it: on a GPU, memory that grows with the
need instead of all of it at once; on a CPU, no GPU visible.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence

from tl_keras import log
from tl_keras.errors import MachineError

# Seconds before a GPU computes: its libraries, its first kernels, the choice
# among cuDNN's. On one H200 (2026-11-27) the quick start's own seconds were 63
# the first time, when the driver compiles kernels for the card and keeps them,
# 48 the second, and 44 on the 16 cores beside it.
GPU_SETUP_SECONDS = 15.0
# Multiply-adds a second for each core, in float32. VGG16 forward reaches 57e9
# on a server's, small networks far less.
CPU_CORE_RATE = 10e9
# Processes that are started inherit it, and TensorFlow reads it there.
DETERMINISTIC = "TF_DETERMINISTIC_OPS"


def seconds_on_cpu(multiply_adds: float, cores: int | None = None) -> float:
    """About how long a CPU takes.

    Args:
        multiply_adds: all of the work.
        cores: all that this process may use when None.
    """
    cores = cores or len(os.sched_getaffinity(0))
    return multiply_adds / (CPU_CORE_RATE * cores)


def choose_device(
    wish: str = "auto", work: Callable[[], float | None] | None = None
) -> str:
    """Sets TensorFlow up for a device; call it before the first operation.

    Args:
        wish: "cpu", "gpu", or "auto" for the GPU where there is one and it
            is quicker.
        work: gives the multiply-adds of all that will be computed, or None
            where that is unknown; asked under "auto" and with a GPU alone.

    Returns:
        "cpu" or "gpu". Under "auto" what this process has used before, which
        it cannot change any more.

    Raises:
        MachineError: a GPU was asked for and TensorFlow sees none, or another
            device was already in use.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if wish == "gpu" and not gpus:
        raise MachineError(f"--device=gpu: {_no_gpu()}")
    why = ""
    if wish == "auto" and gpus and work is not None:
        why = _quicker_without(work())
    taken = _take_cpu() if wish == "cpu" or why else _take_gpu(gpus)
    if wish not in ("auto", taken):
        raise MachineError(
            f"--device={wish}: this process is set up for the {taken}, by a "
            "run before or by your script, and TensorFlow keeps to it - begin "
            "in a new process, or leave --device out"
        )
    if why and taken == "cpu":
        log.info(why)
    return taken


def _no_gpu() -> str:
    """What was expected and found, and what to do."""
    import tensorflow as tf

    return "expected a GPU that TensorFlow sees, found none - " + (
        "check the driver (nvidia-smi) and CUDA_VISIBLE_DEVICES, and install "
        "with the extra: pip install 'tl-keras[gpu]'"
        if tf.test.is_built_with_cuda()
        else "this TensorFlow is built without CUDA; use --device=cpu"
    )


def _take_cpu() -> str:
    """Hides the GPUs; "gpu" where one is in use already."""
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # It has used its devices.
        tf.config.set_visible_devices([], "GPU")
    return "gpu" if tf.config.get_visible_devices("GPU") else "cpu"


def _take_gpu(gpus: Sequence) -> str:
    """Lets memory grow on the GPUs; "cpu" where there is none, or a run before
    or a script has hidden them."""
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # It has used its devices.
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    return "gpu" if tf.config.get_visible_devices("GPU") else "cpu"


def _quicker_without(multiply_adds: float | None) -> str:
    """Why the CPU is done before a GPU; "" where it is not."""
    if multiply_adds is None:
        return ""
    seconds = seconds_on_cpu(multiply_adds)
    if seconds >= GPU_SETUP_SECONDS:
        return ""
    return (
        f"device: cpu, where all of this takes about {max(1, seconds):.0f} s, "
        "less than the GPU needs to get ready (--device=gpu takes it)"
    )


def device_memory() -> int:
    """Bytes of the first GPU's memory that TensorFlow may use; 0 if unknown.

    Call it after `choose_device`: it sets the GPU up.
    """
    import tensorflow as tf

    if not tf.config.get_visible_devices("GPU"):
        return 0
    try:
        from tensorflow.python.client import device_lib

        growing = tf.compat.v1.ConfigProto()
        growing.gpu_options.allow_growth = True
        devices = device_lib.list_local_devices(growing)
    except (ImportError, RuntimeError, tf.errors.OpError):
        return 0
    return max((d.memory_limit for d in devices if d.device_type == "GPU"),
               default=0)  # fmt: skip


def peak_device_memory() -> int | None:
    """Bytes of the first GPU's memory that were in use at most; None without.

    TensorFlow's own count: what it took from the GPU beyond that, to have it
    at hand, is not in it.
    """
    import tensorflow as tf

    if not tf.config.get_visible_devices("GPU"):
        return None
    return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])


def compute_deterministically(wish: bool | None, device: str) -> None:
    """The same bits for the same run, where that is wished.

    It holds until the end of `own_determinism`, and for the processes that are
    started until then: an export's answers are those of a process of its own,
    which would else choose among cuDNN's algorithms by timing them.

    Args:
        wish: None for yes on a CPU and no on a GPU, where it is slower.
        device: "cpu" or "gpu".
    """
    import tensorflow as tf

    if wish or (wish is None and device == "cpu"):
        os.environ[DETERMINISTIC] = "1"
        tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def own_determinism() -> Iterator[None]:
    """Undoes at its end what `compute_deterministically` did inside.

    The same bits are no business of a script that calls a run and goes on: it
    would be slower, and an operation of its own may have no such kernel.

    Example:
        with own_determinism():
            compute_deterministically(True, "cpu")
    """
    # Of TensorFlow 2.21: it can be asked and switched off nowhere else.
    from tensorflow.python.framework import config

    before = config.is_op_determinism_enabled()
    inherited = DETERMINISTIC in os.environ
    try:
        yield
    finally:
        if not before:
            config.disable_op_determinism()
        if not inherited:
            os.environ.pop(DETERMINISTIC, None)


def check_precision(precision: str, device: str) -> None:
    """Refuses what a device cannot do well.

    Raises:
        MachineError: float16 on a CPU, which computes it several times slower
            than float32 and gains nothing.
    """
    if precision == "mixed_float16" and device == "cpu":
        raise MachineError(
            "--precision=mixed_float16: expected a GPU, found a CPU, where "
            "it is slower than float32 - use float32 or mixed_bfloat16"
        )
