"""The tokenizer in the graph against BERT's in plain Python."""

import json
import random

import bert_reference
import numpy as np
import pytest
import tensorflow as tf
from bert_reference import ReferenceTokenizer, vocabulary_words
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tl_keras.errors import ConfigError
from tl_keras.exports.graph import ALLOWED
from tl_keras.inputs.text import (
    FIELD_MARK,
    TextInput,
    Vocabulary,
    WordPiece,
    read_vocabulary,
    word_hashes,
)
from tl_keras.inputs.text.text_input import length_for

WORDS = tuple(vocabulary_words())
NASTY = (
    "", " ", "\n\t ", "Free entry!", "HELLO World", "unaffable", "the",
    "Café naïve CAFÉ", "cafe\u0301", "中国日本", "hello中国world", "x" * 10_000,
    "un" * 50, "un" * 51, "[SEP] is [PAD]", "[CLS][SEP]", "##able", "a\u200bb",
    "free\0entry", "a\x07b\x1fc", "😀😀 win 😀", "straße STRASSE ß",
    "ΣΣ ΟΔΟΣ", "العاب", "한국 한", "a" * 300 + " the", "win! " * 200,
    "\u00a0free\u2003entry\u3000", "a.b,c-d'e", "£££ 10.50$", "\ufeffthe",
    "İstanbul I", "ẞß", "\u037e\u1fef=≠", "\U0002b820中\U0002b921",
    "\ufffd the",
    "\u0e33\u0dde\u1e9b\u0323", "e\u0301\u0302\u0323", "\U0001fae8\U000e0041",
)  # fmt: skip


def vocabulary(**settings_) -> Vocabulary:
    return Vocabulary(
        WORDS, *(WORDS.index(f"[{n}]") for n in ("UNK", "CLS", "SEP", "PAD")),
        **settings_,
    )  # fmt: skip


# Each takes two seconds to set up.
WAYS = [
    (True, True),
    (False, False),
    pytest.param((True, False), marks=pytest.mark.nightly),
    pytest.param((False, True), marks=pytest.mark.nightly),
]


@pytest.fixture(scope="module", params=WAYS)
def both(request):
    """(ours, the reference) for each way to treat capitals and accents."""
    lowercase, accents = request.param
    ours = TextInput(
        vocabulary(lowercase=lowercase, strip_accents=accents), max_tokens=24
    )
    return ours, ReferenceTokenizer(WORDS, lowercase, accents)


def compare(both, texts):
    ours, reference = both
    tokens = ours.tokenize([text.encode() for text in texts])
    for text, ids, cut in zip(
        texts, tokens.ids.numpy(), tokens.cut.numpy(), strict=True
    ):
        assert (ids.tolist(), bool(cut)) == reference.ids(text, 24), repr(text)
    assert set(tokens.status.numpy()) <= {b""}


def test_nasty_texts_in_one_batch_have_the_reference_s_tokens(both):
    compare(both, NASTY)


def test_every_code_point_has_the_reference_s_tokens(both):
    """Between two letters, a plane's worth of them; seen as words, too."""
    ours, reference = both
    codes = [c for c in range(0x30000) if not 0xD800 <= c < 0xE000]
    codes = codes[:0x3000] + codes[0x3000::97] + [*range(0xE0000, 0xE0200, 7)]
    texts = [f"a{chr(code)}a" for code in codes]
    words, row = ours._wordpiece._words(
        tf.constant([t.encode() for t in texts])
    )
    found = [[] for _ in texts]
    for word, number in zip(words.numpy(), row.numpy(), strict=True):
        found[number].append(word.decode())
    assert found == [reference.words(text) for text in texts]


PARTS = st.sampled_from([*WORDS, " ", "é", "É", "\u0301"])
TEXTS = st.lists(
    st.one_of(
        st.text(max_size=60), st.lists(PARTS, max_size=30).map("".join)
    ),
    min_size=1,
    max_size=8,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(texts=TEXTS)
@example(texts=["", "", "a"])
def test_any_texts_have_the_reference_s_tokens(texts):
    ours = any_texts()
    compare((ours, ReferenceTokenizer(WORDS)), texts)


@pytest.mark.nightly
@settings(max_examples=5000, deadline=None)
@given(texts=TEXTS)
def test_many_texts_have_the_reference_s_tokens(texts):
    compare((any_texts(), ReferenceTokenizer(WORDS)), texts)


_ANY: list[TextInput] = []


def any_texts() -> TextInput:
    """Traced once."""
    if not _ANY:
        _ANY.append(TextInput(vocabulary(), max_tokens=24))
    return _ANY[0]


@pytest.mark.parametrize(
    "bad",
    [b"\xff", b"free \xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf8\x88\x80\x80",
     "é".encode("latin-1"), "hello".encode("utf-16")],
)  # fmt: skip
def test_what_is_not_utf8_is_a_row_with_a_status(bad):
    ids, status = any_texts().load_rows([b"free entry", bad, b"win"])
    assert status.numpy().tolist() == [b"", b"not valid UTF-8", b""]
    alone, _ = any_texts().load_rows([b"free entry", b"", b"win"])
    np.testing.assert_array_equal(ids, alone)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not valid UTF-8"):
        any_texts().load(tf.constant(bad))


def test_a_batch_may_be_empty():
    tokens = any_texts().tokenize(tf.zeros([0], tf.string))
    assert tokens.ids.shape == (0, 24)
    assert tokens.status.shape == tokens.cut.shape == (0,)
    assert any_texts().load_rows(tf.zeros([0], tf.string))[0].shape == (0, 8)


def test_a_text_of_a_million_characters_costs_no_more_than_its_tokens():
    """What lies behind the last token is not taken to pieces."""
    text = " ".join(f"un{n:x}ed" for n in range(100_000))
    tokens = any_texts().tokenize([text.encode()])
    assert bool(tokens.cut[0])
    expected = ReferenceTokenizer(WORDS).ids(text[:1000], 24)[0]
    assert tokens.ids[0].numpy().tolist() == expected


def test_tokens_do_not_depend_on_the_batch(both):
    ours, _ = both
    draw = random.Random(0)
    texts = [*NASTY]
    draw.shuffle(texts)
    together = ours.tokenize([text.encode() for text in texts]).ids
    for text, ids in zip(texts, together, strict=True):
        np.testing.assert_array_equal(
            ours.tokenize([text.encode()]).ids[0], ids
        )


def test_padding_beyond_the_longest_text_is_not_needed():
    ids = any_texts().tokenize([b"free entry", b"win win win"]).ids
    assert int(length_for(ids, 0)) == 8
    assert int(length_for(any_texts().tokenize([b"win " * 50]).ids, 0)) == 24
    assert int(length_for(ids[:0], 0)) == 8


def test_the_graph_holds_no_resource_and_only_operations_of_the_list():
    traced = any_texts()._traced.get_concrete_function()
    definition = traced.graph.as_graph_def()
    nodes = [*definition.node]
    nodes += [n for f in definition.library.function for n in f.node_def]
    assert {node.op for node in nodes} - {"_Arg", "_Retval"} <= ALLOWED
    assert not any("Hash" in n.op and "Bucket" not in n.op for n in nodes)
    assert not traced.captured_inputs


def test_words_of_one_hash_are_refused(monkeypatch):
    monkeypatch.setattr(word_hashes, "BUCKETS", 50)
    with pytest.raises(ConfigError, match="have the same hash"):
        WordPiece(vocabulary(), 24)


def test_a_mark_between_fields_is_a_sep_where_there_are_fields():
    text = [f"free{FIELD_MARK}win, {FIELD_MARK}{FIELD_MARK}a".encode()]
    fields = TextInput(vocabulary(), max_tokens=12, fields=True)
    ids = fields.load(tf.constant(text[0])).numpy()
    assert [WORDS[i] for i in ids if i] == [
        "[CLS]", "free", "[SEP]", "win", ",", "[SEP]", "[SEP]", "a", "[SEP]",
    ]  # fmt: skip
    one = TextInput(vocabulary(), max_tokens=12)
    assert one.describe() != fields.describe()
    np.testing.assert_array_equal(
        one.tokenize(text).ids, one.tokenize([b"freewin, a"]).ids
    )


def test_room_for_no_word_is_refused():
    with pytest.raises(ConfigError, match="max_tokens=2: expected 3 or more"):
        TextInput(vocabulary(), max_tokens=2)


def test_the_key_says_all_that_tokens_depend_on():
    keys = {
        TextInput(vocabulary(**settings_), max_tokens=tokens).describe()
        for settings_ in ({}, {"lowercase": False}, {"max_word_chars": 7})
        for tokens in (8, 9)
    }
    other = vocabulary()
    swapped = (*other.words[:6], *other.words[7:], other.words[6])
    keys.add(TextInput(Vocabulary(swapped, 1, 2, 3, 0), 8).describe())
    assert len(keys) == 7


# ---- the vocabulary's files


def write_vocabulary(folder, **config):
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", "utf-8")
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def whole_tokenizer(**changes) -> dict:
    """As `tokenizer.json` has it."""
    return {
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {word: n for n, word in enumerate(WORDS)},
        },
        "normalizer": {
            "type": "BertNormalizer", "clean_text": True,
            "handle_chinese_chars": True, "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
    } | changes  # fmt: skip


def test_both_kinds_of_file_give_the_same_vocabulary(tmp_path):
    assert read_vocabulary(write_vocabulary(tmp_path)) == vocabulary()
    (tmp_path / "vocab.txt").unlink()
    whole = json.dumps(whole_tokenizer())
    (tmp_path / "tokenizer.json").write_text(whole)
    assert read_vocabulary(tmp_path) == vocabulary()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"do_lower_case": False}, (False, False, True)),
        ({"do_lower_case": False, "strip_accents": True}, (False, True, True)),
        ({"strip_accents": False}, (True, False, True)),
        ({"tokenize_chinese_chars": False}, (True, True, False)),
        ({"do_lower_case": None}, (True, True, True)),
    ],
)
@pytest.mark.parametrize("whole", [False, True])
def test_the_configuration_says_how_text_is_treated(
    tmp_path, config, expected, whole
):
    write_vocabulary(tmp_path, **config)
    if whole:
        (tmp_path / "tokenizer.json").write_text(json.dumps(whole_tokenizer()))
    read = read_vocabulary(tmp_path)
    assert (read.lowercase, read.strip_accents, read.split_chinese) == expected


def test_chinese_is_not_split_where_the_configuration_says_so(tmp_path):
    write_vocabulary(tmp_path, tokenize_chinese_chars=False)
    words = ("中", "##国")
    read = read_vocabulary(tmp_path)
    joined = Vocabulary(
        (*read.words, words[1]), read.unk, read.cls, read.sep, read.pad,
        split_chinese=False,
    )  # fmt: skip
    ids = WordPiece(joined, 8)(tf.constant(["中国"])).ids[0].numpy()
    assert [joined.words[i] for i in ids[1:3]] == list(words)


def test_special_words_may_have_other_names(tmp_path):
    write_vocabulary(tmp_path, cls_token="the", sep_token={"content": "win"})
    read = read_vocabulary(tmp_path)
    assert (WORDS[read.cls], WORDS[read.sep]) == ("the", "win")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "found neither"),
        ({"vocab.txt": ""}, "expected words, found none"),
        ({"vocab.txt": "the\nfree\n"}, r"no '\[UNK\]'"),
        ({"tokenizer.json": "{"}, "not readable as JSON"),
        ({"tokenizer.json": "[]"}, "expected an object"),
        ({"tokenizer.json": '{"model": {"type": "BPE"}}'}, "of kind BPE"),
        ({"tokenizer.json": '{"model": []}'}, "its model is no object"),
        (
            {"tokenizer.json": json.dumps(
                whole_tokenizer(normalizer={"type": "Lowercase"}))},
            "normalizer is 'Lowercase'",
        ),
        (
            {"tokenizer.json": json.dumps(
                whole_tokenizer(model={"type": "WordPiece",
                                       "vocab": {"a": 10**9}}))},
            "has the id 1000000000",
        ),
        (
            {"tokenizer.json": json.dumps(
                whole_tokenizer(model={"type": "WordPiece",
                                       "vocab": {"a": "x"}}))},
            "has the id 'x'",
        ),
        ({"vocab.txt": b"\xff\xfe"}, "not UTF-8"),
    ],
)  # fmt: skip
def test_a_vocabulary_that_cannot_be_used_is_refused_in_one_line(
    tmp_path, files, expected
):
    for name, content in files.items():
        content = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=expected) as caught:
        read_vocabulary(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_words_that_stand_twice_count_where_they_stand_last(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "a", "the"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), "utf-8")
    read = read_vocabulary(tmp_path)
    assert WordPiece(read, 4)(tf.constant(["the"])).ids[0, 1] == 6


def test_the_reference_is_the_size_it_says():
    assert 150 <= len(bert_reference.vocabulary_words()) <= 250
