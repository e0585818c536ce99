"""jit.py: XLA where the steps to come save more than compiling costs."""

import pytest

from tl_keras.compute.jit import Costs, Work, decide_jit

VGG16 = Work(
    steps=10 * 63, multiply_adds=15.35e9, batch_size=32, kernels=16,
    compute="bfloat16",
)  # fmt: skip


def longer(times: int) -> Work:
    return Work(
        VGG16.steps * times, VGG16.multiply_adds, 32, 16, "bfloat16"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wish", "device", "deterministic", "work", "on", "words"),
    [
        # Ten epochs of 2,000 pictures: what took 72 s to compile on a card.
        ("auto", "gpu", False, VGG16, False, "saves about 3 s of 630 steps"),
        ("auto", "gpu", False, longer(100), True, "takes about 18 s and saves"),
        ("auto", "gpu", True, longer(100), False, "--deterministic"),
        ("auto", "cpu", False, longer(100), False, "slower on a CPU"),
        ("on", "cpu", False, VGG16, True, "as asked (--jit=on)"),
        ("on", "gpu", True, VGG16, True, "as asked (--jit=on)"),
        ("off", "gpu", False, longer(100), False, "as asked (--jit=off)"),
    ],
)
def test_the_decision_and_its_words(
    wish, device, deterministic, work, on, words
):
    decision = decide_jit(
        wish, device=device, deterministic=deterministic, work=work
    )
    assert decision.on is on
    assert words in str(decision)
    assert str(decision).startswith("XLA on" if on else "XLA off")


def test_tiny_networks_are_reckoned_by_their_launches():
    tiny = Work(steps=100, multiply_adds=2e6, batch_size=32, kernels=4)
    assert tiny.step_seconds(Costs()) == Costs().least_step
    assert not decide_jit("auto", device="gpu", work=tiny).on


def test_costs_that_were_measured_decide():
    cheap = Costs(compile_seconds=0.01)
    assert decide_jit("auto", device="gpu", work=VGG16, costs=cheap).on


def test_an_unknown_wish_lists_the_known():
    with pytest.raises(ValueError, match="auto, on, off"):
        decide_jit("maybe", device="gpu", work=VGG16)
