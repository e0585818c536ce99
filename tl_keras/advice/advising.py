"""Stored features -> advice: numbers for metrics.json, sentences for people.

    advice = advise(features, labels, class_names=names, trained_on=200)
    advice["sentences"]

In: arrays. Out: plain values. The sentences say what to do, and how sure it is.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tl_keras.advice.classes import Need, needy_classes
from tl_keras.advice.depth import (
    LAST,
    Depth,
    probe_depths,
    where_to_unfreeze,
)
from tl_keras.advice.learning_curve import Curve, measure_curve
from tl_keras.advice.power_laws import fit_laws, hindcast
from tl_keras.tasks.multiclass.linear_probe import solve_probe

TIMES = (2, 4)  # as many labels
# Less than this is not worth the work of labelling.
WORTH = 0.01
# Where half of the labels were so far off about all of them, all of them are
# not asked about more.
MAX_OFF = 0.03


def advise(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    class_names: Sequence[str],
    trained_on: int,
    groups: Sequence[str] | None = None,
    stages: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
) -> dict:
    """What more labels would bring, which class wants them, how deep to tune.

    Args:
        features: float32 (n, d), of all labelled examples but those to test.
        labels: int (n,).
        class_names: in the order of the labels.
        trained_on: labels that a run trains on; the forecast is of multiples.
        groups: what each example belongs to; not torn apart.
        stages: first layer of a stage -> pooled activations (n, d) before it,
            from the input on; nothing is said of depth without them.
        seed: of the subsamples.

    Returns:
        `curve`, `forecast`, `hindcast`, `classes`, `depths` and `sentences`;
        of the first three None what too few labels cannot say.

    Example:
        advice = advise(features, labels, class_names="ab", trained_on=200)
        print("\\n".join(advice["sentences"]))
    """
    probe = solve_probe(features, labels, groups=groups)
    curve = measure_curve(features, labels, probe, groups=groups, seed=seed)
    whole = probe.out_of_fold
    needs = [] if whole is None else needy_classes(labels, whole, curve)
    depths = []
    if stages:
        depths = probe_depths({**stages, LAST: features}, labels, groups)
    numbers = {
        "labels": trained_on,
        **_of_curve(curve, trained_on),
        "classes": [
            need._asdict() | {"class": class_names[need.label]}
            for need in needs
        ],
        "depths": [depth._asdict() for depth in depths],
    }
    told = [_more_labels(numbers)]
    told += [_more_of(need, class_names) for need in needs]
    if whole is not None and not needs:
        told.append(
            "No class needs labels more than the others: that one is missed "
            "more often may be chance."
        )
    if depths:
        told.append(_how_deep(depths))
    return numbers | {"sentences": told}


def _of_curve(curve: Curve | None, trained_on: int) -> dict:
    if curve is None:
        return {"curve": None, "forecast": None, "hindcast": None}
    laws, foretold = fit_laws(curve), hindcast(curve)
    off = np.inf if foretold is None else abs(foretold[0] - foretold[1])
    # That it was near once may be luck: what is asked of is a sample too.
    chance = np.sqrt(curve.shares()[-1] * (1 - curve.shares()[-1]))
    error = float(np.hypot(off, chance / np.sqrt(curve.examples)))
    pairs = zip(curve.sizes.tolist(), curve.shares().tolist(), strict=True)
    return {
        "curve": [
            {"labels": labels, "accuracy": 1 - wrong} for labels, wrong in pairs
        ],
        "forecast": [
            {"labels": times * trained_on}
            | laws.gain(trained_on, times * trained_on).widened(error)._asdict()
            for times in TIMES
        ]
        if off <= MAX_OFF
        else None,
        "hindcast": foretold
        and dict(zip(("foretold", "measured"), foretold, strict=True)),
    }


def _more_labels(numbers: dict) -> str:
    """What more labels would bring, in a sentence or two."""
    said = numbers["hindcast"]
    if numbers["forecast"] is None:
        told = "There are too few labels to say what more of them would bring"
        if said is None:
            return f"{told}: some dozens of each class are enough for that."
        return (
            f"{told}: half of them predicted {100 * said['foretold']:.1f} % "
            f"for all of them, and it was {100 * said['measured']:.1f} %."
        )
    twice, four_times = numbers["forecast"]
    # The gain, and not up to where: labelled pictures that are easier than
    # those to come foretell too high a level, and a gain that is right.
    told = (
        f"Twice as many labels ({twice['labels']:,} to train on) would bring "
        f"the frozen head about {_points(twice)} points of accuracy, and four "
        f"times as many {_points(four_times)}."
    )
    if four_times["high"] < WORTH:
        told = (
            f"More labels of this kind would hardly help the frozen head: "
            f"four times as many ({four_times['labels']:,}) about "
            f"{_points(four_times)} points. Another --backbone or a larger "
            "--image_size may."
        )
    off = 100 * abs(said["foretold"] - said["measured"])
    return (
        f"{told} Half of the labels predicted what all of them gave to "
        f"within {off:.1f} points."
    )


def _points(gain: dict) -> str:
    """ "1.1 (0.3 to 1.9)"."""
    shown = [f"{100 * gain[name]:.1f}" for name in ("gain", "low", "high")]
    return "{} ({} to {})".format(*shown)


def _more_of(need: Need, names: Sequence[str]) -> str:
    """What to do for a class that is missed."""
    told = (
        f"Label more of {names[need.label]!r} first: {need.wrong:,} of its "
        f"{need.examples:,} are missed, most often for "
        f"{names[need.taken_for]!r}, against "
        f"{100 * need.others:.0f} % of the others"
    )
    if need.before is None:
        return f"{told}."
    if need.after < need.before:
        return (
            f"{told}; twice the labels so far took that from "
            f"{100 * need.before:.0f} to {100 * need.after:.0f} %."
        )
    return (
        f"{told}. But twice the labels have not helped it so far: look at "
        "whether its examples can be told apart, and are labelled alike."
    )


def _how_deep(depths: Sequence[Depth]) -> str:
    """From where to unfreeze, and why."""
    found, last = where_to_unfreeze(depths), depths[-1]
    if found is None:
        usual = depths[-2]
        return (
            f"Each stage of the network adds something for these classes: "
            f"probes have a loss of {usual.loss:.3f} before "
            f"{usual.unfreeze_from} and of {last.loss:.3f} at the end. There "
            f"is no sign that a fine-tune should begin before "
            f"--unfreeze_from={usual.unfreeze_from}."
        )
    return (
        f"What comes before {found.unfreeze_from} tells these classes apart as "
        f"well as the whole network (probes have a loss of {found.loss:.3f} "
        f"there and of {last.loss:.3f} at the end): the rest has most to "
        f"learn, by --unfreeze_from={found.unfreeze_from}."
    )
