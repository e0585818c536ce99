"""The other callbacks of a fit: what stands before and after, and hears what.

    neighbours = Neighbours(callback, before_all=look)    # in its set_model
    neighbours.hide(); ...; neighbours.show()

In: a callback that Keras is setting up. Out: its list, in which it is the
last, whatever order `fit` was given.
"""

from collections.abc import Callable

import keras

from tl_keras.callbacks.this_fit import callback_list


class _First(keras.callbacks.Callback):
    """Is called before all others, for one that is called after them."""

    def __init__(self, of, before_all: Callable[[], None]):
        super().__init__()
        self.of, self.before_all = of, before_all

    def on_train_begin(self, logs=None):
        self.before_all()


class Neighbours:
    """The list of callbacks that one stands in; none in a loop without one.

    Args:
        callback: put last.
        before_all: called before another callback's `on_train_begin`.
    """

    def __init__(
        self,
        callback: keras.callbacks.Callback,
        before_all: Callable[[], None],
    ):
        self.callback = callback
        self._list = callback_list(callback)
        self._shown: list | None = None
        if self._list is not None:
            first = _First(callback, before_all)
            # A new list, since Keras is walking over the old one.
            self._list.callbacks = [first, *self.others(), callback]

    def others(self) -> list[keras.callbacks.Callback]:
        """All but the callback itself."""
        if self._list is None:
            return []
        return [
            other
            for other in self._list.callbacks
            if other is not self.callback
            and getattr(other, "of", None) is not self.callback
        ]

    def begin(self) -> None:
        """The first has had its turn."""
        if self._list is not None:
            self._list.callbacks = [*self.others(), self.callback]

    def hide(self) -> None:
        """The others hear of nothing until `show`."""
        if self._list is not None:
            self._shown = self._list.callbacks
            self._list.callbacks = [self.callback]

    def show(self) -> None:
        """All of them hear again."""
        if self._shown is not None:
            self._list.callbacks, self._shown = self._shown, None
