"""Small networks that ship with the package, by name."""

import pathlib

PRETRAINED = {"letters_vgg": "letters_vgg.keras"}


def path_of(name: str) -> pathlib.Path:
    """Path of the shipped ``.keras`` file of `name`, a key of PRETRAINED."""
    if name not in PRETRAINED:
        known = ", ".join(sorted(PRETRAINED))
        raise ValueError(f"No pretrained network {name!r}; known: {known}.")
    return pathlib.Path(__file__).parent / PRETRAINED[name]
