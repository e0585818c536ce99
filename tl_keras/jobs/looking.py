"""What a dataset looks like: pictures, or texts. Reads a table's first lines.

    looks_like("reviews.csv", config, "--input_kind")       # "text"

In: a dataset's name. Out: the kind of input that stands there, or ConfigError
with the command for each reading where there are two. No TensorFlow.
"""

import itertools
import os
import shlex

from tl_keras.config import DataConfig, TransferConfig
from tl_keras.data import is_table
from tl_keras.data.delimited import DelimitedText, ends_as_image
from tl_keras.data.json_lines import names_in
from tl_keras.data.texts.columns import TEXT_NAMES
from tl_keras.data.texts.folders import TEXT_FILES
from tl_keras.data.wanted import PATH_NAMES
from tl_keras.errors import ConfigError, DataError

# Columns that number rows, and columns that pictures have beside their paths.
WEAK_PATHS = ("image_id", "imageid", "img_id", "id")
WEAK_TEXTS = (
    "title", "content", "description", "comment", "document", "headline",
)  # fmt: skip
ENCODER = "DIR"  # of a command that is shown
MAX_FILES = 2000  # that are looked at


def looks_like(dataset: str, config: DataConfig, flag: str) -> str:
    """The kind of input that stands there: "image" or "text".

    Args:
        dataset: the name of a folder, a table or a catalogue.
        config: the settings; those that name columns count.
        flag: that says the kind, for messages: "--backbone" of a run, which
            takes pictures.

    Returns:
        "image" also of what cannot be told, which the listing refuses.

    Raises:
        ConfigError: both can be meant; or there are texts, and the network
            takes pictures.
    """
    path = getattr(config, "path_column", "")
    text = config.text_column
    if (path and not text) or not os.path.exists(dataset):
        return "image"
    if text:
        kinds = {"text"}
    elif os.path.isdir(dataset):
        kinds = _of_folder(dataset)
    elif is_table(dataset):
        kinds = _of_table(dataset)
    else:
        return "image"
    if len(kinds) > 1:
        if flag == "--backbone" and config.given("backbone"):
            return "image"  # That says it.
        raise ConfigError(
            f"--dataset={dataset}: holds both texts and pictures, or the "
            f"paths of such - {_command(config, 'text')} reads the texts, "
            f"{_command(config, 'image')} the pictures"
        )
    (kind,) = kinds or {"image"}
    if kind == "text" and flag == "--backbone":
        raise ConfigError(
            f"--dataset={dataset}: holds texts; --backbone={config.backbone} "
            f"takes pictures - give an encoder of texts: "
            f"{_command(config, 'text')}, or hf:OWNER/NAME in the place of "
            f"{ENCODER}"
        )
    return kind


def _command(config: DataConfig, kind: str) -> str:
    """The flags that say a kind of input."""
    dataset = f"--dataset={shlex.quote(config.dataset)}"
    if isinstance(config, TransferConfig) and kind == "text":
        return f"{dataset} --backbone={ENCODER}"
    return f"{dataset} --input_kind={kind}"


def _of_folder(folder: str) -> set[str]:
    """By the files in it, the first of them."""
    names = (
        name
        for _, folders, files in os.walk(folder)
        for name in files
        if not name.startswith(".")
    )
    kinds = set()
    for name in itertools.islice(names, MAX_FILES):
        if name.lower().endswith(TEXT_FILES):
            kinds.add("text")
        elif ends_as_image(name):
            # A note or a licence beside pictures makes no texts of them.
            return {"image"}
    return kinds


def _of_table(file: str) -> set[str]:
    """By the names of its columns."""
    try:
        if file.lower().endswith((".jsonl", ".ndjson")):
            header = names_in(file)
        elif file.lower().endswith((".parquet", ".pq")):
            return {"image"}
        else:
            names = (*PATH_NAMES, *TEXT_NAMES)
            sample = DelimitedText(file, names).sample
            header = sample[0] if sample else []
    except DataError:
        return set()  # What is wrong with it, the listing says.
    plain = {name.strip().casefold().lstrip("\ufeff") for name in header}
    strong_text = plain & set(TEXT_NAMES) - set(WEAK_TEXTS)
    text = plain & set(TEXT_NAMES)
    strong_path = plain & set(PATH_NAMES) - set(WEAK_PATHS)
    path = plain & set(PATH_NAMES)
    if strong_text and strong_path:
        return {"image", "text"}
    if strong_path or (path and not strong_text):
        return {"image"}
    return {"text"} if text else set()
