"""What a card says of the published model, where it is not the network alone.

    published_lines(metrics)

In: metrics. Out: lines: of the head that stands in the network's place, and of
the examples that a least probability refuses.
"""

from collections.abc import Mapping

from tl_keras.tasks.multiclass.rejecting import rejection_words

MAX_CANDIDATES = 4  # that are named; metrics.json has all


def published_lines(metrics: Mapping) -> list[str]:
    """Lines for people; none where the network alone is published."""
    return [*_head(metrics), *_refused(metrics)]


def _head(metrics: Mapping) -> list[str]:
    """What stands in the network's place in the export, if anything does."""
    found = metrics.get("published")
    if not found:
        return []
    if not found["candidates"]:
        return [
            "What is published is TF-IDF with logistic regression, as "
            "--baseline=export asks; model.keras is the network."
        ]
    weighed = "; ".join(found["candidates"][:MAX_CANDIDATES])
    line = (
        f"What is published is a head on {' and '.join(found['kept'])}, chosen "
        f"by answers to examples not learnt from: {weighed}. model.keras is "
        "the network alone."
    )
    if found["kept"] == ["tf-idf"]:
        line += " --baseline=export publishes TF-IDF without a network."
    if "runtimes" in metrics:
        line += " So are the files for other runtimes."
    return [line]


def _refused(metrics: Mapping) -> list[str]:
    """What the least probability refuses, where there is one."""
    found = metrics.get("reject")
    return [f"Of no class: {rejection_words(found)}."] if found else []
