"""What a card shows of texts: excerpts, words that decided, lengths."""

import itertools
import json

import numpy as np
import pytest

from tl_keras import pages
from tl_keras.inputs.text.occlusion import occlusion, parts_of
from tl_keras.run_card.text_section import accuracy_by_length, text_section

NAMES = ("lost", "where")


def by_words(texts):
    """A model that looks at two words alone: what is right is known."""
    logits = np.array(
        [[3.0 * ("lost" in t) + ("my" in t), 2.0 * ("where" in t)]
         for t in texts]
    )  # fmt: skip
    exp = np.exp(logits)
    return exp / exp.sum(axis=1, keepdims=True)


def test_words_that_the_answer_stands_on_weigh_most():
    texts = ["I lost my card", "where is it", "", "no word of either"]
    found = occlusion(by_words, texts, [0, 1, 0, 1])
    words = {word.text: word.weight for word in found[0]}
    assert list(words) == ["I", "lost", "my", "card"]
    whole = by_words(texts)[0, 0]
    assert words["lost"] == pytest.approx(
        whole - by_words(["I  my card"])[0, 0]
    )
    assert words["lost"] > words["my"] > 0
    assert words["I"] == words["card"] == 0
    assert max(found[1], key=lambda word: word.weight).text == "where"
    assert found[2] == ()
    assert {word.weight for word in found[3]} == {0}


def test_a_word_may_speak_against_the_answer():
    ((lost, *_),) = occlusion(by_words, ["lost or where"], [1])
    assert lost.text == "lost"
    assert lost.weight < 0


def test_all_are_asked_in_few_batches_and_long_texts_by_parts():
    asked = []

    def counting(texts):
        asked.append(len(texts))
        return by_words(texts)

    texts = [f"word {n} lost" for n in range(100)] + ["a b " * 500 + "lost"]
    found = occlusion(counting, texts, [0] * 101, max_parts=10)
    assert sum(asked) == 101 + 100 * 3 + len(found[-1])
    assert len(asked) == 2
    assert len(found[-1]) <= 10
    assert found[-1][-1].weight > 0.4
    assert found[-1][-1].text.endswith("lost")
    assert all(words[2].weight > words[0].weight for words in found[:100])


def test_parts_cover_all_words_once():
    text = "  one two\tthree\nfour five "
    for most in (1, 2, 3, 5, 9):
        spans = parts_of(text, most)
        assert len(spans) <= most
        joined = " ".join(text[start:end] for start, end in spans)
        assert joined.split() == text.split()
    assert parts_of("   ", 4) == []


def test_accuracy_by_length_has_each_example_once():
    lengths = [*range(1, 41), *[3] * 40]
    right = np.array(lengths) < 20
    rows = accuracy_by_length(lengths, right)
    assert sum(row["count"] for row in rows) == 80
    bounds = [(row["least"], row["most"]) for row in rows]
    assert bounds == sorted(bounds)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(bounds))
    assert rows[0]["accuracy"] == 1.0
    assert rows[-1]["accuracy"] == 0.0
    low, high = rows[0]["interval"]
    assert low < 1.0 <= high
    assert accuracy_by_length(range(15), [True] * 15) == []
    assert accuracy_by_length([4] * 50, [True] * 50)[0]["count"] == 50


@pytest.fixture(scope="module")
def section():
    texts = ["lost my card", "lost my cat", "where is it", "where was I",
             "<script>lost</script>"] * 8  # fmt: skip
    labels = np.array([0, 0, 1, 1, 1] * 8)
    return text_section(
        [text.encode() for text in texts], labels, by_words(texts), NAMES,
        answers_of=by_words,
    )  # fmt: skip


def test_a_section_says_what_is_confused_and_by_which_words(section):
    (pair,) = section["confused"]
    assert (pair["true"], pair["predicted"]) == ("where", "lost")
    assert (pair["count"], pair["of"]) == (8, 24)
    assert pair["excerpts"] == ["<script>lost</script>"] * 2
    first = section["mistakes"][0]
    assert first["words"][0]["text"] == "<script>lost</script>"
    assert first["words"][0]["weight"] > 0.4
    assert section["uncertain"][0]["words"][0]["text"] == "where"
    assert section["uncertain"][0]["true"] == "where"
    assert json.loads(json.dumps(section, allow_nan=False)) == section


def test_without_a_model_no_words_are_claimed():
    texts = [b"lost", b"where"]
    section = text_section(
        texts, np.array([0, 0]), by_words(["lost", "where"]), NAMES
    )
    assert section["mistakes"][0]["words"] == []
    assert section["lengths"] == []


def test_the_part_of_the_page_escapes_and_shows_it(section):
    page = "".join(
        pages.render(part, texts=section)
        for part in ("confused_texts.html", "texts.html")
    )
    assert "<script>" not in page
    assert "&lt;script&gt;lost&lt;/script&gt;" in page
    assert "8 of 24" in page
    assert "Short and long" in page
    assert "-0." in page
