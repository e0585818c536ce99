"""The ways to fine-tune that a search tries, likelier ones first.

    candidates_of(tune, ["block_16_expand", "block_13_expand"], flips=True)

In: a phase by the fixed rule, the layers to unfreeze from. Out: candidates in
the order in which a budget lets them in.
"""

import dataclasses
from collections.abc import Sequence

from tl_keras.strategies import LoRA
from tl_keras.training import Phase

# The rate of most worth first: on four sets with 1e-4 the gain of a fine-tune
# was lost on the largest, with 1e-3 on the smallest.
USUAL, LOW, HIGH = 3e-4, 1e-4, 1e-3
LORA_RATE = 1e-3
MIXUP = 0.2


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A way to fine-tune.

    Attributes:
        name: in words, "from block_13_expand on at 0.0003".
        phase: it, begun from a head solved on frozen layers.
        augment: of the examples that it learns from, "none" or "flip".
    """

    name: str
    phase: Phase
    augment: str = "none"

    @property
    def graph(self) -> str:
        """What candidates that share a compiled graph have alike."""
        return repr(dataclasses.replace(self.phase, name="", learning_rate=1.0))


def candidates_of(
    tune: Phase,
    layers: Sequence[str],
    *,
    low_rank: bool = False,
    flips: bool = False,
) -> list[Candidate]:
    """All that may be tried.

    Args:
        tune: the phase of the fixed rule; its epochs, optimizer and schedule
            are those of all.
        layers: to unfreeze from: the usual one, then deeper ones, up to two
            of which are tried.
        low_rank: whether the network has Dense or attention layers that LoRA
            suits.
        flips: whether a flipped example may be one of its class.

    Returns:
        One or more; names are unique.

    Example:
        candidates_of(Phase("fine_tune", 10, 1e-4), ["block5", "block4"])
    """
    usual, *deeper = layers[:3]

    def plain(layer: str, rate: float, **more) -> Candidate:
        words = f"from {layer} on at {rate:g}"
        if layer == "all":
            words = f"all layers at {rate:g}"
        if "mixup" in more:
            words += f", mixup {more['mixup']:g}"
        phase = dataclasses.replace(
            tune, unfreeze_from=layer, learning_rate=rate, **more
        )
        return Candidate(words, phase)

    found = [plain(usual, rate) for rate in (USUAL, LOW, HIGH)]
    found += [plain(layer, USUAL) for layer in deeper[:1]]
    found.append(plain(usual, USUAL, mixup=MIXUP))
    if low_rank:
        found.append(_low_rank(tune, usual))
    if flips:
        found.append(
            Candidate(f"{found[0].name}, flipped", found[0].phase, "flip")
        )
    found += [plain(layer, USUAL) for layer in deeper[1:]]
    return found


def bolder(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same in the order for a frozen head that is poor.

    Where little of it is worth keeping, the lowest rate was never the best.

    Args:
        candidates: of `candidates_of`.

    Returns:
        All of them, those of the lowest rate last.
    """
    return sorted(candidates, key=lambda c: c.phase.learning_rate == LOW)


def _low_rank(tune: Phase, layer: str) -> Candidate:
    strategy = LoRA(unfreeze_from=layer)
    phase = dataclasses.replace(
        tune,
        unfreeze_from="none",
        train_batch_norm=False,
        strategy=strategy,
        learning_rate=LORA_RATE,
    )
    words = f"LoRA of rank {strategy.rank} from {layer} on at {LORA_RATE:g}"
    return Candidate(words, phase)
