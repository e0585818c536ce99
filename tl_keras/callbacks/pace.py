"""When a fit is saved: so often as was asked, or as its cost allows.

    pace = Pace("auto")
    pace.begin()
    if pace.is_time(model):
        began = time.monotonic()
        ...
        pace.saved(began)

In: what was asked, the batches trained and the time that saves took. Out:
whether it is time for one.
"""

import time

import keras
import numpy as np

from tl_keras.callbacks.variables import variables_of

# Of the time of training, what saving may take.
SHARE = 0.03
# Before the first save, its time is reckoned from this many bytes a second.
SLOW_DISK = 100e6


class Pace:
    """The saves of one callback.

    Args:
        save_freq: "auto" as often as `SHARE` of the time allows, "epoch", or
            so many batches.

    Attributes:
        seconds_saving: what saves have taken, in all fits.

    Raises:
        ValueError: it is none of these.
    """

    def __init__(self, save_freq: str | int):
        whole = isinstance(save_freq, int) and not isinstance(save_freq, bool)
        if save_freq not in ("auto", "epoch") and not (whole and save_freq > 0):
            raise ValueError(
                f"save_freq={save_freq!r}: expected 'auto', 'epoch', or a "
                "number of batches"
            )
        self.save_freq = save_freq
        self.seconds_saving = 0.0

    def begin(self) -> None:
        """A fit begins, or goes on."""
        self._unsaved = 0
        self._cost: float | None = None
        self._saved_at = time.monotonic()

    def trained(self, batches: int) -> None:
        """So many more batches were."""
        self._unsaved += batches

    def is_time(self, model: keras.Model, *, epoch_over: bool = False) -> bool:
        """Whether to save now.

        Args:
            model: whose fit it is.
            epoch_over: whether an epoch has just ended.
        """
        if self.save_freq == "epoch":
            return epoch_over
        if self.save_freq != "auto":
            return not epoch_over and self._unsaved >= self.save_freq
        if self._cost is None:
            size = sum(np.prod(v.shape) * 4 for v in variables_of(model))
            self._cost = 0.05 + size / SLOW_DISK
        return time.monotonic() - self._saved_at >= self._cost / SHARE

    def passed_over(self) -> None:
        """It was time, but there was nothing good to save."""
        self._saved_at = time.monotonic()

    def saved(self, began: float) -> None:
        """All is saved.

        Args:
            began: when saving did, as of `time.monotonic`.
        """
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - began
        self.seconds_saving += self._cost
        self._unsaved = 0
