"""Whether a fault means that memory ran out: of the host or of the device.

In: an exception. Out: yes or no. TensorFlow's allocator says so by a type of
its own. XLA, cuDNN and cuBLAS say it in the text of other types: a program's
buffers that cannot be had are an internal error, a convolution for which no
algorithm has room was "not found".
"""

import re

import tensorflow as tf

# Types whose text decides; an internal error is seldom about memory.
_SAYS_SO = (
    tf.errors.InternalError,
    tf.errors.UnknownError,
    tf.errors.AbortedError,
    tf.errors.NotFoundError,
    tf.errors.FailedPreconditionError,
    tf.errors.UnimplementedError,
)
_WORDS = re.compile(
    r"resource_?exhausted"
    r"|out of memory"
    r"|cuda_error_out_of_memory"
    r"|failed to allocate"
    r"|oom when allocating"
    r"|(cudnn|cublas|cusolver|cufft)_status_alloc_failed"
    # A copy to the device that found no room there.
    r"|dst tensor is not initialized"
    # Their handles need memory of the device, and little else may lack once
    # a run has begun.
    r"|(could not|failed to) create (a )?(cudnn|cublas|cusolver) handle"
    r"|(cudnn|cublas) library could not create a handle"
    r"|dnn library (is not found|initialization failed)"
    r"|streamexecutor without (blas|dnn) support"
    r"|cublas_status_not_initialized"
    r"|no algorithm worked",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether less at once could help.

    Args:
        error: whatever was raised.

    Example:
        is_out_of_memory(MemoryError())      # True
    """
    if isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError)):
        return True
    return isinstance(error, _SAYS_SO) and tells_of_memory(str(error))


def tells_of_memory(text: str) -> bool:
    """Whether what TensorFlow says of a fault means that memory ran out.

    Args:
        text: of an error, or what a process left that ended with one.

    Example:
        tells_of_memory("RESOURCE_EXHAUSTED: Out of memory")      # True
    """
    return bool(_WORDS.search(text))
