"""`hf:OWNER/NAME[@REVISION]`, or a folder -> the folder of a model.

    found = find_model("hf:sentence-transformers/all-MiniLM-L6-v2@main")
    found.folder, found.revision, found.license

In: a name. Out: where its files lie in Hugging Face's local cache. What is not
there is fetched where `huggingface_hub` is installed (the extra `hub`) and the
network is not switched off (`HF_HUB_OFFLINE`); else one line says where to put
it. A token is read by huggingface_hub alone, and no message holds one.
"""

import os
import pathlib
import re
from typing import NamedTuple

from tl_keras.errors import ConfigError, MachineError

PREFIX = "hf:"
# One part of a repository's name, as Hugging Face allows it.
PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}")
COMMIT = re.compile(r"[0-9a-f]{40}")
MAIN = "main"
# All that a model of texts is made of here, and its licence.
FILES = (
    "config.json", "model.safetensors", "model.safetensors.index.json",
    "model-*.safetensors", "vocab.txt", "tokenizer.json",
    "tokenizer_config.json", "modules.json", "1_Pooling/config.json",
    "README.md",
)  # fmt: skip
ON = ("1", "true", "yes", "on")


class ModelFolder(NamedTuple):
    """A model on the disk.

    Attributes:
        folder: with its files.
        name: "OWNER/NAME", or the folder's own name.
        revision: the commit, 40 hexadecimal digits; "" of a plain folder.
        license: as its README.md says, such as "apache-2.0"; or "".
    """

    folder: pathlib.Path
    name: str
    revision: str
    license: str


def known_folder(given: str, flag: str = "--backbone") -> pathlib.Path | None:
    """The folder of a model that is on this disk; None where it is not.

    Args:
        given, flag: as of `find_model`.

    Raises:
        ConfigError: no name that can be one.
    """
    if given.startswith(PREFIX):
        return _cached(*_parse(given, flag))
    return pathlib.Path(given) if os.path.isdir(given) else None


def find_model(
    given: str, flag: str = "--backbone", *, download: bool = True
) -> ModelFolder:
    """Finds a model's folder, and fetches it where that can be done.

    Args:
        given: a folder's path, or `hf:OWNER/NAME[@REVISION]`, where the
            revision is a branch, a tag or a commit; "main" without it.
        flag: that names it, for messages.
        download: whether it may be fetched.

    Returns:
        `ModelFolder`.

    Raises:
        ConfigError: no such folder, or no name that can be one.
        MachineError: it is not in the cache and cannot be fetched.

    Example:
        encoder = load_text_encoder(find_model("hf:intfloat/e5-small").folder)
    """
    if not given.startswith(PREFIX):
        folder = pathlib.Path(given)
        if not folder.is_dir():
            raise ConfigError(
                f"{flag}={given}: expected a model's folder or "
                f"{PREFIX}OWNER/NAME, found no folder - check the path"
            )
        return ModelFolder(folder, folder.resolve().name, "", _license(folder))
    name, revision = _parse(given, flag)
    folder = _cached(name, revision)
    if folder is None and not download:
        raise MachineError(
            f"{flag}={given}: not in {cache_folder()}, and nothing is fetched "
            "here - a run fetches it"
        )
    if folder is None:
        folder = _fetch(name, revision, f"{flag}={given}")
    # A snapshot's folder is named by its commit.
    commit = folder.name if COMMIT.fullmatch(folder.name) else revision
    return ModelFolder(folder, name, commit, _license(folder))


def cache_folder() -> pathlib.Path:
    """Hugging Face's cache of models, found as huggingface_hub finds it."""
    if told := os.environ.get("HF_HUB_CACHE"):
        return pathlib.Path(told).expanduser()
    if home := os.environ.get("HF_HOME"):
        return pathlib.Path(home).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(cache).expanduser() / "huggingface" / "hub"


def _parse(given: str, flag: str) -> tuple[str, str]:
    """(OWNER/NAME, revision) of `hf:OWNER/NAME[@REVISION]`."""
    name, at, revision = given.removeprefix(PREFIX).partition("@")
    parts = name.split("/")
    bad = (
        len(parts) != 2
        or not all(PART.fullmatch(part) for part in parts)
        or "--" in name
        or ".." in name
        or len(name) > 96
    )
    if at:
        bad = (
            bad
            or not REVISION.fullmatch(revision)
            or any(part in ("", ".", "..") for part in revision.split("/"))
        )
    if bad:
        raise ConfigError(
            f"{flag}={given[:120]}: expected {PREFIX}OWNER/NAME or "
            f"{PREFIX}OWNER/NAME@REVISION, of letters, digits, '-', '_' and "
            "'.' - copy the name from the model's page"
        )
    return name, revision or MAIN


def _repository(name: str) -> pathlib.Path:
    return cache_folder() / f"models--{name.replace('/', '--')}"


def _cached(name: str, revision: str) -> pathlib.Path | None:
    """The folder of a revision that is whole in the cache."""
    repository = _repository(name)
    commit = revision
    if not COMMIT.fullmatch(revision):
        try:
            text = (repository / "refs" / revision).read_text("ascii")
        except (OSError, ValueError):
            return None
        commit = text.strip()
        if not COMMIT.fullmatch(commit):
            return None
    folder = repository / "snapshots" / commit
    return folder if _is_whole(folder) else None


def _is_whole(folder: pathlib.Path) -> bool:
    """Whether a network and a tokenizer are there."""

    def has(*names):
        return any((folder / name).exists() for name in names)

    return (
        has("config.json")
        and has("model.safetensors", "model.safetensors.index.json")
        and has("vocab.txt", "tokenizer.json")
    )


def _fetch(name: str, revision: str, given: str) -> pathlib.Path:
    """Fetches what is used of a model into the cache."""
    by_hand = (
        "put its config.json, model.safetensors and vocab.txt into a folder "
        "and give the folder instead (or copy another machine's "
        f"{_repository(name)})"
    )
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ON:
        raise MachineError(
            f"{given}: not in {cache_folder()}, and HF_HUB_OFFLINE forbids to "
            f"fetch it - {by_hand}"
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MachineError(
            f"{given}: not in {cache_folder()}, and huggingface_hub, which "
            "would fetch it, is not installed - pip install "
            f"'tl-keras[hub]', or {by_hand}"
        ) from None
    try:
        return pathlib.Path(
            snapshot_download(
                name, revision=revision, allow_patterns=list(FILES)
            )
        )
    except Exception as error:  # Many kinds; their texts may tell too much.
        raise MachineError(
            f"{given}: not in {cache_folder()}, and cannot be fetched "
            f"({type(error).__name__}) - check the name, the network and, for "
            f"a model that asks for it, `hf auth login`; or {by_hand}"
        ) from None


def _license(folder: pathlib.Path) -> str:
    """What the first lines of README.md say, between two rows of dashes."""
    try:
        with open(folder / "README.md", encoding="utf-8") as stream:
            text = stream.read(20_000)
    except (OSError, UnicodeDecodeError):
        return ""
    found = re.match(r"---\r?\n(.*?)\r?\n---", text, re.DOTALL)
    if not found:
        return ""
    line = re.search(r"^license:[ \t]*([\w.+-]{1,60})", found[1], re.MULTILINE)
    return line[1] if line else ""
