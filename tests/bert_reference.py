"""BERT's tokenizer and encoder again, in plain Python and NumPy, to compare.

    tokenizer = ReferenceTokenizer(vocabulary)
    tokenizer.ids("Free entry!", max_tokens=16)

Written from the description of google-research/bert; it shares no code with
`tl_keras`, and nothing of TensorFlow is loaded.
"""

import json
import math
import pathlib
import struct
import unicodedata

import numpy as np
import scipy.special

WORDS = (
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "free", "entry",
    "win", "prize", "card", "lost", "my", "where", "is", "hello", "world",
    "un", "##aff", "##able", "##ed", "##s", "##ing", "new", "cafe", "naive",
    "!", "?", ".", ",", "'", "-", "[", "]", "#", "sep", "cls", "pad", "unk",
    "中", "国", "日", "ß", "σ", "ال", "##ا", "##ع", "ж", "##ж", "£", "😀",
    "ᄒ", "##ᅡ", "##ᆫ", "##😀", "##σ", "i", "##i", "##中", "ss",
)  # fmt: skip
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def vocabulary_words() -> list[str]:
    """Some 200 words: the above, letters, letters as later pieces."""
    words = [*WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    pairs = (a + b for a in "aeioust" for b in "nrstl")
    return list(dict.fromkeys([*words, *pairs]))


class ReferenceTokenizer:
    """As `BertTokenizer`: clean, split, lower, strip, cut, longest first.

    Args:
        words: in the order of their ids.
        lowercase, strip_accents: as a vocabulary says.
    """

    def __init__(self, words, lowercase=True, strip_accents=True):
        self.ids_of = {word: number for number, word in enumerate(words)}
        self.lowercase, self.strip_accents = lowercase, strip_accents

    def ids(self, text: str, max_tokens: int) -> tuple[list[int], bool]:
        """(padded ids, whether the text was cut)."""
        pieces = [p for word in self.words(text) for p in self.pieces(word)]
        room = max_tokens - 2
        found = ["[CLS]", *pieces[:room], "[SEP]"]
        numbers = [self.ids_of[piece] for piece in found]
        padding = [self.ids_of["[PAD]"]] * (max_tokens - len(numbers))
        return numbers + padding, len(pieces) > room

    def words(self, text: str) -> list[str]:
        """The words of a text."""
        spaced = []
        for character in text:
            code = ord(character)
            if code in (0, 0xFFFD) or _is_control(character):
                continue
            if _is_space(character):
                spaced.append(" ")
            elif _is_chinese(code):
                spaced.append(f" {character} ")
            else:
                spaced.append(character)
        words = []
        for word in "".join(spaced).split(" "):
            if self.strip_accents:
                word = unicodedata.normalize("NFD", word)
                word = "".join(
                    c for c in word if unicodedata.category(c) != "Mn"
                )
            if self.lowercase:
                word = "".join(c.lower() for c in word)
            words += _cut_at_punctuation(word)
        return words

    def pieces(self, word: str) -> list[str]:
        """The pieces of a word, or "[UNK]"."""
        if len(word) > 100:
            return ["[UNK]"]
        pieces, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in self.ids_of:
                    break
            else:
                return ["[UNK]"]
            pieces.append(piece)
            start = end
        return pieces


def _is_control(character):
    if character in "\t\n\r":
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs")


def _is_space(character):
    return character in "\t\n\r" or unicodedata.category(character)[0] == "Z"


def _is_chinese(code):
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x20000 <= code <= 0x2A6DF
        or 0x2A700 <= code <= 0x2B81F
        or 0x2B920 <= code <= 0x2CEAF
        or 0xF900 <= code <= 0xFAFF
        or 0x2F800 <= code <= 0x2FA1F
    )


def _cut_at_punctuation(word):
    cut = [""]
    for character in word:
        code = ord(character)
        mark = (
            33 <= code <= 47
            or 58 <= code <= 64
            or 91 <= code <= 96
            or 123 <= code <= 126
            or unicodedata.category(character).startswith("P")
        )
        cut += [character, ""] if mark else []
        if not mark:
            cut[-1] += character
    return [part for part in cut if part]


# Sizes of the tiny network: 2 blocks.
CONFIG = {
    "model_type": "bert", "vocab_size": len(vocabulary_words()),
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 24, "max_position_embeddings": 40,
    "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
}  # fmt: skip


def random_weights(seed: int = 0, prefix: str = "") -> dict[str, np.ndarray]:
    """Name as Hugging Face has it -> float32 array."""
    draw = np.random.default_rng(seed)
    width, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    shapes = {
        "embeddings.word_embeddings.weight": (CONFIG["vocab_size"], width),
        "embeddings.position_embeddings.weight": (40, width),
        "embeddings.token_type_embeddings.weight": (2, width),
        "pooler.dense.weight": (width, width),
    }
    for name in ["embeddings.LayerNorm"] + [
        f"encoder.layer.{i}.{where}.LayerNorm"
        for i in range(2)
        for where in ("attention.output", "output")
    ]:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for i in range(2):
        for name, (made, given) in {
            "attention.self.query": (width, width),
            "attention.self.key": (width, width),
            "attention.self.value": (width, width),
            "attention.output.dense": (width, width),
            "intermediate.dense": (inner, width),
            "output.dense": (width, inner),
        }.items():
            name = f"encoder.layer.{i}.{name}"
            shapes |= {f"{name}.weight": (made, given), f"{name}.bias": (made,)}
    return {
        prefix + name: draw.normal(0, 0.3, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write_safetensors(file: pathlib.Path, arrays, dtype: str = "F32") -> None:
    """Writes arrays as the format has them."""
    header, data = {}, b""
    for name, array in arrays.items():
        if dtype == "BF16":
            raw = (array.view("<u4") >> 16).astype("<u2").tobytes()
        else:
            raw = array.astype({"F32": "<f4", "F16": "<f2"}[dtype]).tobytes()
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_tiny_bert(
    folder: pathlib.Path, weights=None, **config
) -> pathlib.Path:
    """A model's folder as Hugging Face lays it out."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | config))
    words = "\n".join(vocabulary_words()) + "\n"
    (folder / "vocab.txt").write_text(words, encoding="utf-8")
    weights = random_weights() if weights is None else weights
    write_safetensors(folder / "model.safetensors", weights)
    return folder


def encode(weights, ids, pooling: str = "mean") -> np.ndarray:
    """Token ids (tokens,) without padding -> float64 (width,)."""
    w = {name: array.astype(np.float64) for name, array in weights.items()}
    x = (
        w["embeddings.word_embeddings.weight"][ids]
        + w["embeddings.position_embeddings.weight"][: len(ids)]
        + w["embeddings.token_type_embeddings.weight"][0]
    )
    x = _norm(x, w, "embeddings.LayerNorm")
    heads = CONFIG["num_attention_heads"]
    for i in range(CONFIG["num_hidden_layers"]):
        at = f"encoder.layer.{i}."
        query, key, value = (
            np.stack(np.split(_linear(x, w, f"{at}attention.self.{part}"),
                              heads, axis=-1))
            for part in ("query", "key", "value")
        )  # fmt: skip
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        mixed = scipy.special.softmax(scores, axis=-1) @ value
        mixed = np.concatenate(list(mixed), axis=-1)
        out = _linear(mixed, w, f"{at}attention.output.dense")
        x = _norm(x + out, w, f"{at}attention.output.LayerNorm")
        inner = _linear(x, w, f"{at}intermediate.dense")
        inner = inner * 0.5 * (1 + scipy.special.erf(inner / math.sqrt(2)))
        out = _linear(inner, w, f"{at}output.dense")
        x = _norm(x + out, w, f"{at}output.LayerNorm")
    return x[0] if pooling == "cls" else x.mean(axis=0)


def _linear(x, w, name):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def _norm(x, w, name):
    x = x - x.mean(axis=-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-12)
    return x * w[f"{name}.weight"] + w[f"{name}.bias"]
