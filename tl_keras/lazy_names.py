"""Names of a package that load their module when they are first used.

    __all__, __getattr__, __dir__ = names_of(__name__, {"Views": "batches"})

In: public names, and the module of the package that each lives in. Out: what
Python asks a package for. So a check of the data loads no Keras, and a refusal
of a flag no TensorFlow.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def names_of(
    package: str, modules: Mapping[str, str]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """What a package whose names are lazy is made of.

    Args:
        package: its `__name__`.
        modules: public name -> the module within the package that defines it.

    Returns:
        Its `__all__`, `__getattr__` and `__dir__`.
    """

    def get(name: str):
        if name not in modules:
            raise AttributeError(
                f"module {package!r} has no attribute {name!r}"
            )
        module = importlib.import_module(f"{package}.{modules[name]}")
        return getattr(module, name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return list(modules), get, names
