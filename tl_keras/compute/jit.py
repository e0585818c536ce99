"""Whether XLA pays for a fit: from the steps to come and what a step costs.

    decision = decide_jit("auto", device="gpu", work=Work(steps=630, ...))
    decision.on, decision.why

In: a wish, a device and the work to come. Out: yes or no, and why, in words.
Compiling costs seconds for each kernel before the first step and makes each
step somewhat cheaper, so short work is quicker without it.
"""

import dataclasses

JITS = ("auto", "on", "off")


@dataclasses.dataclass(frozen=True)
class Costs:
    """What XLA costs and saves on a device.

    Attributes:
        compile_seconds: of one compiled step, for each kernel in it. On one
            H100 (TensorFlow 2.21, 2026-11-26) the first epoch of all of VGG16
            (16 kernels) took 70 s longer than the second, with the step and
            the validation each compiled for a full and for a partial batch:
            four programs, 1.1 s a kernel.
        saved_share: of a step without XLA. Not measured on any card yet: a
            cautious guess that `python -m benchmarks.gpu` is there to replace.
        multiply_adds: a second in training without XLA, by compute type. On
            one H200 (2026-11-27) a step of 32 pictures of all of VGG16 took
            16.3 ms in bfloat16. In float32 (TF32) none was timed: a guess.
        least_step: seconds of the smallest step, for its many small launches.
    """

    compile_seconds: float = 1.1
    saved_share: float = 0.25
    multiply_adds: tuple[tuple[str, float], ...] = (
        ("float32", 25e12),
        ("bfloat16", 90e12),
        ("float16", 90e12),
    )
    least_step: float = 0.005


@dataclasses.dataclass(frozen=True)
class Work:
    """What a fit has to do.

    Attributes:
        steps: of training, all epochs together.
        multiply_adds: of one picture's forward pass through what trains.
        batch_size: pictures a step.
        kernels: convolutions and Dense layers in it.
        compute: "float32", "bfloat16" or "float16".
    """

    steps: int
    multiply_adds: float
    batch_size: int
    kernels: int
    compute: str = "float32"

    def step_seconds(self, costs: Costs) -> float:
        """A step without XLA: forward, and twice that backward."""
        rate = dict(costs.multiply_adds)[self.compute]
        spent = 3 * self.multiply_adds * self.batch_size / rate
        return max(costs.least_step, spent)


@dataclasses.dataclass(frozen=True)
class Decision:
    """Whether to compile with XLA, and why, in words."""

    on: bool
    why: str

    def __str__(self) -> str:
        return f"XLA {'on' if self.on else 'off'}, {self.why}"


def decide_jit(
    wish: str,
    *,
    device: str,
    work: Work,
    deterministic: bool = False,
    costs: Costs | None = None,
) -> Decision:
    """Decides whether a fit is compiled with XLA.

    Args:
        wish: "on", "off", or "auto" for where it pays.
        device: "cpu" or "gpu".
        work: what the fit has to do.
        deterministic: whether the same run must give the same bits; XLA times
            its kernels anew in each process and may choose others.
        costs: what XLA costs and saves; those of an H100 when None.

    Returns:
        `Decision`.

    Raises:
        ValueError: `wish` is none of the three.

    Example:
        decide_jit("auto", device="cpu", work=Work(630, 15e9, 32, 16)).on
    """
    if wish not in JITS:
        raise ValueError(f"jit={wish!r}: expected one of {', '.join(JITS)}")
    if wish != "auto":
        return Decision(wish == "on", f"as asked (--jit={wish})")
    if device == "cpu":
        # VGG16's forward pass took 1.7 times as long on 2 cores.
        return Decision(False, "since it makes steps slower on a CPU")
    if deterministic:
        return Decision(False, "since --deterministic wants the same kernels")
    costs = costs or Costs()
    cost = costs.compile_seconds * work.kernels
    step = work.step_seconds(costs)
    saved = costs.saved_share * step * work.steps
    return Decision(
        saved > cost,
        f"since compiling takes about {cost:.0f} s and saves about "
        f"{saved:.0f} s of {work.steps:,} steps of {1000 * step:.0f} ms",
    )
