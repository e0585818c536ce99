"""search_words: what the page says of a search."""

import pytest

from tl_keras.run_card.search_table import search_header, search_rows
from tl_keras.run_card.search_words import kept_by_search


def found(share: float, made: str, ways: int = 2) -> dict:
    def way(name, cost, share, stopped):
        return {
            "name": name, "folds": 3, "examples": 300, "cost": cost,
            "cost_interval": [cost - 0.01, cost + 0.01], "accuracy": 0.95,
            "accuracy_interval": [0.92, 0.97], "share": share,
            "seconds": 4.25, "stopped": stopped,
        }  # fmt: skip

    rows = [
        way("frozen", 0.09, 0.0, ""),
        way("from block5 on at 0.0003", 0.06, share, ""),
        way("from block5 on at 0.001", 0.08, 0.2, "behind after fold 1 of 3"),
    ]
    search = {
        "kept": rows[1]["name"] if share else "frozen", "made": made,
        "share": share, "gain": {"better_by": 0.03, "p_value": 0.0421},
        "plan": {"folds": 3}, "candidates": rows[: ways + 1],
    }  # fmt: skip
    return {"search": search}


def test_a_kept_fine_tune_says_how_far_how_sure_and_what_taught_it():
    told = kept_by_search(found(0.8, "average"))
    assert told.startswith("2 ways to fine-tune were tried on 3 folds of 300")
    for words in (
        "from block5 on at 0.0003, 80 % of the way", "cost 0.060, the head "
        "0.090", "p = 0.042", "weights were averaged",
    ):  # fmt: skip
        assert words in told
    assert "fitted once more" in kept_by_search(found(0.8, "refit"))


def test_why_so_much_was_tried_is_told():
    metrics = found(0.8, "average")
    assert "labels. Kept is the one" in kept_by_search(metrics)
    metrics["search"]["plan"]["why"] = "the frozen head gets 60 of 320 wrong"
    assert "(the frozen head gets 60 of 320 wrong). Kept is the one" in (
        kept_by_search(metrics)
    )


@pytest.mark.parametrize(
    ("ways", "words"),
    [(1, "it was not clearly better"), (2, "none was clearly better")],
)
def test_a_kept_head_says_so(ways, words):
    told = kept_by_search(found(0.0, "", ways))
    assert words in told
    assert "solved on all of them" in told


def test_the_table_marks_the_kept_one_and_why_others_stopped():
    rows = search_rows(found(0.8, "average"))
    assert {len(row) for row in rows} == {len(search_header({}))}
    assert [row[-1] for row in rows] == ["", "kept", "behind after fold 1 of 3"]
    assert rows[1][2] == "0.060 (0.050 to 0.070)"
    assert rows[1][3] == "0.950 (0.920 to 0.970)"
    assert search_rows({}) == []
