"""What a callback has noted of a fit, and how it is given back.

In: any Keras callback. Out: what changed of it since the fit began: the
patience that `EarlyStopping` has used up, the best value, the weights of a
running average. Settings are not among that, since they do not change, so that
a cell of a notebook can be run again with other ones.

What is kept: numbers, texts, lists, dictionaries, sets, arrays, Keras's
operations; of variables, layers, models, metrics and optimizers their values;
of random generators their state; callbacks in callbacks, and objects of
classes beside the callback's. What else is made in the middle of a fit, and
iterators, cannot be: `Notes` refuses them by name.
"""

import collections
import hashlib
import json
from collections.abc import Collection, Sequence
from typing import Any

import keras

from tl_keras.callbacks.kinds import ITERATORS, is_setting
from tl_keras.callbacks.outputs import OUTPUTS
from tl_keras.callbacks.values import (
    NotPlainError,
    from_plain,
    give_back,
    plain,
)
from tl_keras.callbacks.variables import variables_in
from tl_keras.errors import ConfigError

_OF_KERAS = ("model", "_model", "params", "validation_data")


class Notes:
    """What one callback of a fit has noted.

    To be made before the fit's `on_train_begin`, which may note something.

    Args:
        callback: any.
        name: for messages and for the save, such as "EarlyStopping".
    """

    def __init__(self, callback: keras.callbacks.Callback, name: str):
        self.callback = callback
        self.name = name
        self._before = {
            attribute: _text(value, callback)
            for attribute, value in self._attributes()
        }
        self._at_begin: dict[str, int] = {}
        output = next(
            (o for kind, o in OUTPUTS.items() if isinstance(callback, kind)),
            None,
        )
        self._output = output and output(callback)

    def begin(self) -> None:
        """To be called after `on_train_begin`.

        Raises:
            ConfigError: the callback holds an iterator.
        """
        self._at_begin = {a: id(value) for a, value in self._attributes()}
        for attribute, value in self._attributes():
            if isinstance(value, ITERATORS) and not is_setting(value):
                raise self._refusal(attribute, value)

    def unknown(self) -> list[str]:
        """What it holds since the beginning and is not kept, by name."""
        found = []
        for attribute, value in self._attributes():
            rest = _not_kept(value, self.callback)
            if rest is not None and not self._is_kerass_own():
                found.append(f"{self.name}.{attribute} ({type(rest).__name__})")
        return found

    def save(self, arrays: dict, elsewhere: Collection[int]) -> dict:
        """What changed since the fit began, as JSON.

        Args:
            arrays: takes its arrays.
            elsewhere: ids of variables that are saved already.

        Raises:
            ConfigError: something new is of a kind that cannot be kept.
        """
        found = {}
        for attribute, value in self._attributes():
            prefix = f"callbacks/{self.name}/{attribute}"
            variables = variables_in(value)
            if variables is not None:
                own = [v for v in variables if id(v) not in elsewhere]
                if not own:
                    continue
                if id(value) != self._at_begin.get(attribute):
                    raise self._refusal(attribute, value)
            elif _not_kept(value, self.callback) is not None:
                self._look_at_new(attribute, value)
                continue
            elif is_setting(value) or (
                _text(value, self.callback) == self._before.get(attribute)
            ):
                continue
            found[attribute] = plain(
                value, prefix, arrays, self.callback, elsewhere
            )
        return {"attributes": found, "output": self.save_output()}

    def save_output(self) -> Any:
        """What is in the file that the callback writes to, as JSON."""
        return self._output and self._output.save()

    def restore_output(self, saved: Any) -> None:
        """Cuts off what was written there since."""
        if self._output and saved is not None:
            self._output.restore(saved)

    def restore(self, saved: dict, arrays: dict) -> None:
        """Gives the callback what `save` found, in this process or another.

        Raises:
            ConfigError: what it held variables in is not there.
        """
        for attribute, value in saved["attributes"].items():
            now = vars(self.callback).get(attribute)
            try:
                value = from_plain(value, arrays)
                setattr(self.callback, attribute, give_back(now, value))
            except NotPlainError:
                raise self._refusal(attribute, now) from None
        self.restore_output(saved["output"])

    def _attributes(self) -> list[tuple[str, Any]]:
        return [
            (name, value)
            for name, value in vars(self.callback).items()
            if name not in _OF_KERAS
        ]

    def _look_at_new(self, attribute: str, value) -> None:
        """Refuses what was made in the middle of the fit."""
        same = self._at_begin.get(attribute) == id(value)
        if not same and not self._is_kerass_own():
            raise self._refusal(attribute, value)

    def _is_kerass_own(self) -> bool:
        # Tried one by one: what is left out of these says nothing of a fit.
        return type(self.callback).__module__.startswith("keras.")

    def _refusal(self, attribute: str, value) -> ConfigError:
        return ConfigError(
            f"{self.name}.{attribute}: a {type(value).__name__} that cannot "
            "be saved and given back - keep numbers, lists, dictionaries or "
            "arrays there, or variables made before training begins; or leave "
            "that callback out with AtomicBackup(..., without=[callback])"
        )


def notes_of(
    callbacks: Sequence[keras.callbacks.Callback],
    without: Sequence[keras.callbacks.Callback],
) -> list[Notes]:
    """Of each callback, under a name of its own.

    Raises:
        ConfigError: one of them goes on with the fit by itself.
    """
    counts = collections.Counter()
    found = []
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise ConfigError(
                "BackupAndRestore: it and tl_keras's backup would both go on "
                "with this fit - take one of them"
            )
        if any(callback is other for other in without):
            continue
        name = type(callback).__name__
        counts[name] += 1
        name += f"-{counts[name]}" if counts[name] > 1 else ""
        found.append(Notes(callback, name))
    return found


def _text(value, callback) -> str | None:
    """A text that changes when a value does; None for what has none."""
    arrays: dict = {}
    if variables_in(value) is not None:
        return None
    try:
        text = json.dumps(plain(value, "", arrays, callback))
    except (NotPlainError, RecursionError):
        return None
    digests = [
        hashlib.blake2b(a.tobytes()).hexdigest() for a in arrays.values()
    ]
    return text + "".join(digests)


def _not_kept(value, callback) -> Any:
    """The part of a value that is of an unknown kind, or None."""
    if is_setting(value) or variables_in(value) is not None:
        return None
    try:
        plain(value, "", {}, callback)
    except NotPlainError as error:
        return None if is_setting(error.value) else error.value
    except RecursionError:
        return value
    return None
