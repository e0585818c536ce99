"""Logits and labels -> how far confidence can be trusted, and the mending.

    temperature = fit_temperature(val_logits, val_labels)
    fold_divisor(model.get_layer("head_logits"), temperature)
    expected_calibration_error(probabilities, labels)

In: arrays of a validation split. Out: one number that all logits are divided
by, so that of the pictures given 0.9 about nine in ten are right. It changes no
predicted class. Folded into the last layer, every user of the model has it.

Reference: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural
Networks", 2017.
"""

import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats

BINS = 15
LEAST, MOST = 0.05, 20.0
# A few dozen pictures, all of them right, would ask for a temperature of 0 and
# boundless confidence. A prior holds against it: without evidence the
# temperature is 1, and a factor of two is one standard deviation away. There it
# costs half a nat in all, which the loss of hundreds of pictures outweighs.
PRIOR_DEVIATION = np.log(2)
# Validation also chose the weights, and a temperature out of noise makes things
# worse: on few pictures it stays 1 unless a likelihood-ratio test says more.
CONFIDENCE = 0.95


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least cross-entropy, prior included.

    Args:
        logits: (n, num_classes), of examples that nothing was trained on.
        labels: int (n,).

    Returns:
        What to divide logits by, 0.05 to 20; above 1 the model was too sure.
        1 where the examples do not show, at 95 %, that another is better.

    Raises:
        ValueError: no examples, shapes that do not match, or no numbers.
    """
    logits = np.asarray(logits, np.float64)
    labels = np.asarray(labels)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not len(labels):
        raise ValueError(
            f"logits: expected (n, num_classes) and labels (n,), received "
            f"{logits.shape} and {labels.shape}"
        )
    if not np.isfinite(logits).all():
        raise ValueError("logits: expected finite numbers")

    temperature = _best_temperature(logits, labels)
    gain = cross_entropy(logits, labels) - cross_entropy(
        logits / temperature, labels
    )
    needed = scipy.stats.chi2.ppf(CONFIDENCE, 1) / 2
    return temperature if gain * len(labels) > needed else 1.0


def _best_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Of the least cross-entropy, prior included; float64, finite logits."""

    def cost(log_temperature: float) -> float:
        loss = cross_entropy(logits / np.exp(log_temperature), labels)
        prior = (log_temperature / PRIOR_DEVIATION) ** 2 / 2
        return loss * len(labels) + prior

    found = scipy.optimize.minimize_scalar(
        cost, bounds=(np.log(LEAST), np.log(MOST)), method="bounded"
    )
    return float(np.exp(found.x))


def calibrated_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each example's loss after the temperature that suits these best.

    What over-confidence costs is left out of the comparison of two models,
    since a temperature takes it away afterwards. The prior of
    `fit_temperature` holds here too, its test does not: a loss that jumps
    where a test turns significant orders nothing.

    Args:
        logits: (n, num_classes), n of 1 or more.
        labels: int (n,).

    Returns:
        float64 (n,), in nats; NaN where a logit is not finite.
    """
    logits = np.asarray(logits, np.float64)
    if not np.isfinite(logits).all():
        return np.full(len(labels), np.nan)
    return example_losses(logits / _best_temperature(logits, labels), labels)


def example_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each example's cross-entropy in nats, (n,)."""
    own = logits[np.arange(len(labels)), labels]
    return scipy.special.logsumexp(logits, axis=-1) - own


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean loss in nats."""
    return float(example_losses(logits, labels).mean())


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray
) -> float:
    """The mean gap between confidence and accuracy, over `reliability`'s bins.

    Args:
        probabilities: (n, num_classes), n of 1 or more.
        labels: int (n,).

    Returns:
        0 (of pictures given p, a share p is right) to 1.
    """
    right = probabilities.argmax(axis=-1) == labels
    return reliability(probabilities.max(axis=-1), right)[1]


def reliability(
    confidence: np.ndarray, right: np.ndarray
) -> tuple[list[dict], float]:
    """Confidence against accuracy in bins, and how far they are apart.

    Args:
        confidence: the probability of the predicted class, (n,), 0 to 1, n of
            1 or more.
        right: whether that is the true one, bool (n,).

    Returns:
        One row a bin, `BINS` of equal width that hold their upper edges: low,
        high, count, and mean confidence and accuracy, None where it is empty;
        and the expected calibration error, 0 to 1.

    Reference: Guo et al., "On Calibration of Modern Neural Networks", 2017.
    """
    place = np.ceil(confidence * BINS).astype(int) - 1
    place = np.clip(place, 0, BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    sums = [np.bincount(place, values, BINS) for values in (confidence, right)]
    rows = [
        {
            "low": number / BINS,
            "high": (number + 1) / BINS,
            "count": int(count),
            "confidence": float(sure / count) if count else None,
            "accuracy": float(correct / count) if count else None,
        }
        for number, (count, sure, correct) in enumerate(
            zip(counts, *sums, strict=True)
        )
    ]
    return rows, float(np.abs(sums[0] - sums[1]).sum() / len(right))


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities as they are after dividing the logits by a temperature."""
    tiny = np.finfo(np.float64).tiny
    logs = np.log(np.maximum(probabilities, tiny))
    return scipy.special.softmax(logs / temperature, axis=-1)
