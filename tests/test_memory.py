"""memory.py: faults of memory, by type and by text; and what they cost."""

import dataclasses
import types

import pytest
import tensorflow as tf
from run_folders import make_run

from tl_keras import run_card
from tl_keras.console import on_console
from tl_keras.errors import MachineError
from tl_keras.jobs import measuring
from tl_keras.jobs.fault_tolerance import enough_memory, fault_tolerant
from tl_keras.out_of_memory import is_out_of_memory

errors = tf.errors
# As TensorFlow 2.21 and its libraries say it.
OUT = [
    (errors.ResourceExhaustedError, "OOM when allocating tensor with shape[4]"),
    (errors.InternalError, "RESOURCE_EXHAUSTED: Out of memory while trying to "
     "allocate 10737418240 bytes. [Op:__inference_one_step_on_data_1]"),
    (errors.InternalError, "Failed to allocate 1024 bytes for new constant"),
    (errors.UnknownError, "CUDNN_STATUS_ALLOC_FAILED in tensorflow/stream_ex"),
    (errors.InternalError, "Failed to create cuBLAS handle: cublas error"),
    (errors.FailedPreconditionError, "could not create cudnn handle: "
     "CUDNN_STATUS_NOT_INITIALIZED"),
    (errors.NotFoundError, "No algorithm worked!  Error messages: Profiling "
     "failure on CUDNN engine"),
    (errors.InternalError, "Failed copying input tensor from CPU:0 to GPU:0 in "
     "order to run _EagerConst: Dst tensor is not initialized."),
    (errors.UnimplementedError, "DNN library is not found."),
    (errors.FailedPreconditionError, "DNN library initialization failed. Look "
     "at the errors above for more details."),
    (errors.InternalError, "cudnn library could not create a handle: CUDNN_ST"),
    (errors.InternalError, "Attempting to perform BLAS operation using "
     "StreamExecutor without BLAS support"),
    (errors.InternalError, "failed: CUBLAS_STATUS_NOT_INITIALIZED"),
    (errors.InternalError, "CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
]  # fmt: skip
OTHER = [
    (errors.InternalError, "Blas GEMM launch failed"),
    (errors.NotFoundError, "cats/1.jpg; No such file or directory"),
    (errors.InvalidArgumentError, "Input is empty; out of memory.jpg"),
    (errors.DataLossError, "corrupted record at 12"),
]


@pytest.mark.parametrize(("kind", "text"), OUT)
def test_memory_that_ran_out_is_known_by_type_or_text(kind, text):
    assert is_out_of_memory(kind(None, None, text))


@pytest.mark.parametrize(("kind", "text"), OTHER)
def test_other_faults_are_no_lack_of_memory(kind, text):
    assert not is_out_of_memory(kind(None, None, text))


def test_pythons_own_faults():
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(ValueError("out of memory"))
    assert not is_out_of_memory(OSError(28, "No space left on device"))


@pytest.mark.nightly  # Ten seconds pass before TensorFlow gives up.
def test_tensorflows_own_allocator_is_understood():
    with pytest.raises(tf.errors.OpError) as caught:
        tf.zeros([1 << 50], tf.uint8)
    assert is_out_of_memory(caught.value)


@dataclasses.dataclass
class Settings:
    batch_size: int = 8
    auto_batch: bool = True


@dataclasses.dataclass
class Prepared:
    config: Settings
    labelled: object = None
    device: str = "cpu"
    crowded: bool = False


@dataclasses.dataclass
class Run:
    prepared: Prepared
    journal: object


def run_of(**settings) -> tuple[Run, list]:
    noted = []
    journal = types.SimpleNamespace(
        noted=lambda **values: noted.append(values) or journal
    )
    images = types.SimpleNamespace(examples=dict)
    return Run(Prepared(Settings(**settings), images), journal), noted


@pytest.mark.parametrize(("kind", "text"), OUT)
def test_every_lack_of_memory_halves_the_batch(kind, text, capsys):
    run, noted = run_of()

    def stage(prepared):
        if prepared.config.batch_size > 2:
            raise kind(None, None, text)
        return prepared.config.batch_size

    with on_console():
        less, given = fault_tolerant(run, stage)
    assert given == less.prepared.config.batch_size == 2
    assert run.prepared.config.batch_size == 8  # It is as it was given.
    assert noted == [{"batch_size": 4}, {"batch_size": 2}]
    assert "with batches of 8: going on with 4" in capsys.readouterr().out


@pytest.mark.parametrize("auto_batch", [True, False])
def test_a_gpu_first_gives_back_what_no_step_needs(auto_batch, capsys):
    """Rows and best weights; the batch is as large as before."""
    run, noted = run_of(auto_batch=auto_batch)
    run.prepared.device = "gpu"

    def stage(prepared):
        if not prepared.crowded:
            raise errors.ResourceExhaustedError(None, None, "OOM")
        return prepared.config.batch_size

    with on_console():
        less, given = fault_tolerant(run, stage)
    assert given == 8
    assert less.prepared.crowded
    assert noted == []
    assert "with nothing kept on the GPU" in capsys.readouterr().out

    def full(prepared):
        if prepared.config.batch_size > 4:
            raise errors.ResourceExhaustedError(None, None, "OOM")
        return prepared.crowded

    if auto_batch:
        less, given = fault_tolerant(run, full)
        assert given
        assert noted == [{"batch_size": 4}]
    else:
        with pytest.raises(MachineError, match="give batch_size=4"):
            fault_tolerant(run, full)


def test_without_auto_batch_a_device_that_is_full_is_one_line():
    run, _ = run_of(auto_batch=False)

    def stage(_):
        raise errors.InternalError(None, None, OUT[1][1])

    with pytest.raises(MachineError, match="give batch_size=4 or auto"):
        fault_tolerant(run, stage)
    with (
        pytest.raises(MachineError, match="out of memory - halve"),
        enough_memory(),
    ):
        stage(None)


def test_other_internal_errors_are_raised_as_they_are():
    run, noted = run_of()

    def stage(_):
        raise errors.InternalError(None, None, "Blas GEMM launch failed")

    with pytest.raises(errors.InternalError, match="Blas"):
        fault_tolerant(run, stage)
    assert noted == []


def test_a_gpus_memory_is_among_the_numbers(monkeypatch):
    assert measuring.device_memory_numbers() == {}
    monkeypatch.setattr(measuring, "peak_device_memory", lambda: 123_000_000)
    assert measuring.device_memory_numbers() == {
        "peak_device_memory_bytes": 123_000_000
    }


def test_the_wait_of_each_phase_is_among_the_numbers():
    def result(name, share):
        phase = types.SimpleNamespace(name=name)
        return types.SimpleNamespace(phase=phase, waiting=share)

    fit = types.SimpleNamespace(phases=[result("head", None)])
    assert measuring.waiting(fit) == {}
    fit.phases.append(result("fine_tune", 0.012345))
    assert measuring.waiting(fit) == {"waiting_for_data": {"fine_tune": 0.0123}}


def test_the_card_shows_them(tmp_path):
    folder = make_run(tmp_path)
    record = run_card.read_run(folder)
    record.metrics["cost"] |= {
        "peak_device_memory_bytes": 7_654_000_000,
        "waiting_for_data": {"fine_tune": 0.0123},
    }
    run_card.write_metrics(folder / "metrics.json", record.metrics)
    run_card.write_card(folder)
    for file in ("report.html", "report.md"):
        text = (folder / file).read_text()
        assert "7,654 MB" in text, file
        assert "1.2 %" in text, file
