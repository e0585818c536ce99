"""A folder as Hugging Face lays it out -> the vocabulary and its settings.

    vocabulary = read_vocabulary("models/MiniLM")
    vocabulary.words[vocabulary.sep]         # "[SEP]"

In: `tokenizer.json` of WordPiece kind or `vocab.txt`, and, where it is there,
`tokenizer_config.json`. Out: a `Vocabulary`. No TensorFlow is loaded.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Mapping

from tl_keras.errors import ConfigError

MAX_FILE_BYTES = 64e6
REMEDY = "take the files of a model of BERT's family"
# The word that a word's later pieces begin with.
CONTINUES = "##"
# Parts the fields of a text, such as a title and a body, where there are some.
FIELD_MARK = "\x1e"
SPECIAL = {
    "unk": ("unk_token", "[UNK]"),
    "cls": ("cls_token", "[CLS]"),
    "sep": ("sep_token", "[SEP]"),
    "pad": ("pad_token", "[PAD]"),
}
# Of `tokenizer_config.json` -> of `tokenizer.json`'s normalizer.
SETTINGS = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The words of a WordPiece tokenizer, and how text is made of them.

    Attributes:
        words: each at the place of its id; "" where an id has none.
        unk, cls, sep, pad: ids of the special words.
        lowercase: capital letters are made small.
        strip_accents: accents and other marks are left out.
        split_chinese: each Chinese character is a word of its own.
        max_word_chars: a longer word is unknown.
    """

    words: tuple[str, ...]
    unk: int
    cls: int
    sep: int
    pad: int
    lowercase: bool = True
    strip_accents: bool = True
    split_chinese: bool = True
    max_word_chars: int = 100

    def __len__(self) -> int:
        return len(self.words)

    def fingerprint(self) -> str:
        """SHA-256 of the words and the settings, in hexadecimal."""
        return hashlib.sha256(repr(self).encode("utf-8", "replace")).hexdigest()


def read_vocabulary(folder: str | os.PathLike) -> Vocabulary:
    """Reads the vocabulary of a model's folder.

    Args:
        folder: holds `tokenizer.json` or `vocab.txt`; what
            `tokenizer_config.json` says of case, accents and Chinese
            characters counts more than what `tokenizer.json` says.

    Raises:
        ConfigError: a file is missing or damaged, or describes a tokenizer
            of another kind.

    Example:
        vocabulary = read_vocabulary("models/MiniLM")
    """
    folder = pathlib.Path(folder)
    config = _json(folder / "tokenizer_config.json") or {}
    whole = _json(folder / "tokenizer.json")
    if whole is not None:
        words, settings = _of_tokenizer_json(whole, folder / "tokenizer.json")
    else:
        words, settings = _of_vocab_txt(folder / "vocab.txt"), {}
    told = {
        name: config[key]
        for key, name in SETTINGS.items()
        if isinstance(config.get(key), bool)
    }
    settings |= told
    lowercase = settings.get("lowercase", True)
    accents = settings.get("strip_accents")
    return Vocabulary(
        tuple(words),
        **_special(words, config, folder),
        lowercase=lowercase,
        # Where nothing is said, accents go as capitals do.
        strip_accents=lowercase if accents is None else accents,
        split_chinese=settings.get("handle_chinese_chars", True),
        max_word_chars=settings.get("max_word_chars", 100),
    )


def _of_vocab_txt(file: pathlib.Path) -> list[str]:
    """The words of a file with one a line; its number is the id."""
    text = _text(file)
    if text is None:
        raise ConfigError(
            f"{file.parent}: expected vocab.txt or tokenizer.json, found "
            f"neither - {REMEDY}"
        )
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    ids = {word: number for number, word in enumerate(lines)}
    return _at_places(ids, file)


def _of_tokenizer_json(whole, file: pathlib.Path) -> tuple[list[str], dict]:
    """(words, settings by the normalizer's names) of a whole tokenizer."""
    model = _part(whole, "model", file)
    kind = model.get("type", "WordPiece" if "vocab" in model else None)
    if kind != "WordPiece":
        raise ConfigError(
            f"{file}: its tokenizer is of kind {kind}; expected WordPiece - "
            f"{REMEDY} (RoBERTa, XLM-R and T5 cut words in other ways)"
        )
    prefix = model.get("continuing_subword_prefix", CONTINUES)
    normalizer = _part(whole, "normalizer", file)
    before = _part(whole, "pre_tokenizer", file)
    for name, received, expected in (
        ("continuing_subword_prefix", prefix, CONTINUES),
        ("normalizer", normalizer.get("type"), "BertNormalizer"),
        ("clean_text", normalizer.get("clean_text", True), True),
        ("pre_tokenizer", before.get("type"), "BertPreTokenizer"),
    ):
        if received != expected:
            raise ConfigError(
                f"{file}: {name} is {received!r}; expected {expected!r} - "
                f"{REMEDY}"
            )
    ids = model.get("vocab")
    if not isinstance(ids, dict):
        raise ConfigError(f"{file}: expected a vocabulary, found none")
    settings = {
        name: normalizer[name]
        for name in SETTINGS.values()
        if isinstance(normalizer.get(name), bool)
    }
    longest = model.get("max_input_chars_per_word", 100)
    if not _is_whole(longest) or not 1 <= longest <= 1000:
        raise ConfigError(
            f"{file}: max_input_chars_per_word is {longest!r}; expected 1 to "
            "1000"
        )
    return _at_places(ids, file), settings | {"max_word_chars": longest}


def _part(whole, name: str, file: pathlib.Path) -> dict:
    part = whole.get(name) if isinstance(whole, dict) else None
    if part is None:
        part = {}
    if not isinstance(part, dict):
        raise ConfigError(f"{file}: its {name} is no object - {REMEDY}")
    return part


def _at_places(ids: Mapping[str, int], file: pathlib.Path) -> list[str]:
    """Each word at its id."""
    if not ids:
        raise ConfigError(f"{file}: expected words, found none - {REMEDY}")
    # Ids far above the count are a damaged file, and would fill the memory.
    most = 2 * len(ids) + 1000
    words = [""] * (max(filter(_is_whole, ids.values()), default=0) % most + 1)
    for word, number in ids.items():
        if not _is_whole(number) or not 0 <= number < len(words):
            raise ConfigError(
                f"{file}: the word {word[:40]!r} has the id {number!r:.40}; "
                f"expected a whole number below {most}"
            )
        words[number] = word
    return words


def _is_whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _special(words: list[str], config: dict, folder: pathlib.Path) -> dict:
    """Name -> id of each special word."""
    found = {}
    for name, (key, usual) in SPECIAL.items():
        word = config.get(key) or usual
        if isinstance(word, dict):
            word = word.get("content")
        if word not in words:
            raise ConfigError(
                f"{folder}: its vocabulary has no {word!r:.40} ({key}) - "
                f"{REMEDY}"
            )
        found[name] = words.index(word)
    return found


def _json(file: pathlib.Path):
    """What a file says; None where there is none."""
    text = _text(file)
    if text is None:
        return None
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{file}: not readable as JSON ({str(error)[:100]}) - fetch it "
            "again"
        ) from None
    if not isinstance(said, dict):
        raise ConfigError(f"{file}: expected an object in JSON - {REMEDY}")
    return said


def _text(file: pathlib.Path) -> str | None:
    try:
        if not file.exists():
            return None
        if file.stat().st_size > MAX_FILE_BYTES or not file.is_file():
            raise ConfigError(
                f"{file}: expected a file below {MAX_FILE_BYTES / 1e6:.0f} MB"
            )
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be read ({error.strerror}) - check its rights"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not UTF-8 - fetch it again") from None
