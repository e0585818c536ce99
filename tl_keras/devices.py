"""Which device computes, and in which precision.

    name = choose_device("auto")       # "cpu" or "gpu"; before the first op

In: a wish. Out: TensorFlow set up for it: on a GPU, memory that grows with the
need instead of all of it at once; on a CPU, no GPU visible. XLA is left to
Keras, which uses it on a GPU and not on a CPU.
"""

from tl_keras.errors import MachineError


def choose_device(wish: str = "auto") -> str:
    """Sets TensorFlow up for a device; call it before the first operation.

    Args:
        wish: "cpu", "gpu", or "auto" for the GPU where there is one.

    Returns:
        "cpu" or "gpu".

    Raises:
        MachineError: a GPU was asked for and TensorFlow sees none, or the
            devices were already in use.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if wish == "gpu" and not gpus:
        built = tf.test.is_built_with_cuda()
        raise MachineError(
            "--device=gpu: expected a GPU that TensorFlow sees, found none - "
            + (
                "check the driver (nvidia-smi) and CUDA_VISIBLE_DEVICES, and "
                "install with the extra: pip install 'tl-keras[gpu]'"
                if built
                else "this TensorFlow is built without CUDA; use --device=cpu"
            )
        )
    try:
        if wish == "cpu":
            tf.config.set_visible_devices([], "GPU")
            return "cpu"
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError as error:
        # TensorFlow cannot change devices once it has used them; when the
        # state is already the wished one, that is no fault.
        in_use = bool(tf.config.get_visible_devices("GPU"))
        if wish == "cpu" and in_use:
            raise MachineError(
                f"--device=cpu: {error} - choose the device before the first "
                "TensorFlow operation"
            ) from None
    return "gpu" if gpus else "cpu"


def compute_deterministically(wish: bool | None, device: str) -> None:
    """The same bits for the same run, where that is wished.

    It holds for the rest of the process.

    Args:
        wish: None for yes on a CPU and no on a GPU, where it is slower.
        device: "cpu" or "gpu".
    """
    import tensorflow as tf

    if wish or (wish is None and device == "cpu"):
        tf.config.experimental.enable_op_determinism()


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
