"""A vocabulary -> the files that a tokenizer elsewhere is made of.

    write_vocabulary(vocabulary, "exports", max_tokens=64)

In: a `Vocabulary`. Out: `vocab.txt` and `tokenizer_config.json` as Hugging Face
names them, so that its `BertTokenizer`, any other WordPiece or
`read_vocabulary` makes of a text the ids that a file without a tokenizer takes.
How long a word may be is not in them: elsewhere it is 100 characters.
"""

import json
import os
import pathlib

from tl_keras import atomic
from tl_keras.errors import ConfigError
from tl_keras.inputs.text.vocabulary import SPECIAL, Vocabulary

WORDS_FILE, SETTINGS_FILE = "vocab.txt", "tokenizer_config.json"


def write_vocabulary(
    vocabulary: Vocabulary, folder: str | os.PathLike, max_tokens: int
) -> None:
    """Writes the two files, each complete or absent.

    Args:
        vocabulary: of the model.
        folder: beside whose files they lie; it is there.
        max_tokens: of a text, the first and last special one included.

    Raises:
        ConfigError: a word holds a line's end, so that no list of lines can
            hold it.
    """
    folder = pathlib.Path(folder)
    for word in vocabulary.words:
        if "\n" in word or "\r" in word:
            raise ConfigError(
                f"vocabulary: the word {word!r} holds a line's end; expected "
                f"words that fit a line of {WORDS_FILE}"
            )
    settings = {
        "tokenizer_class": "BertTokenizer",
        "model_max_length": max_tokens,
        "do_lower_case": vocabulary.lowercase,
        "strip_accents": vocabulary.strip_accents,
        "tokenize_chinese_chars": vocabulary.split_chinese,
    } | {
        key: vocabulary.words[getattr(vocabulary, name)]
        for name, (key, _) in SPECIAL.items()
    }
    for file, text in (
        (WORDS_FILE, "".join(f"{word}\n" for word in vocabulary.words)),
        (SETTINGS_FILE, json.dumps(settings, indent=2) + "\n"),
    ):
        with atomic.replacing(folder / file) as temporary:
            temporary.write_text(text, encoding="utf-8")
