"""What a server says of one example -> an answer, whatever it predicts.

    answer_of({"classes": ["rose"], "scores": [0.98], "status": ""})

In: a signature's outputs of one row, by name, as REST and gRPC both give them.
Out: an `Answered`, or an `AnsweredOther` where the model says more than the
best names.
"""

from collections.abc import Collection, Mapping, Sequence

from tl_keras.serving.server_client.client import Answered, AnsweredOther

NAMES = ("classes", "scores")
LABELS = ("labels", "probabilities")
SETS = (*NAMES, "set", "probabilities")
NUMBERS = ("columns", "values", "low", "high")
STATUS = "status"


def outputs_to_ask(there: Collection[str]) -> list[str]:
    """The outputs of a signature that `answer_of` reads.

    Args:
        there: all that the signature has.

    Returns:
        Names, the status among them where there is one.
    """
    for one, wanted in (("values", NUMBERS), ("labels", LABELS), ("set", SETS)):
        if one in there:
            return [name for name in (*wanted, STATUS) if name in there]
    return [*NAMES, *[STATUS] * (STATUS in there)]


def answer_of(row: Mapping) -> Answered | AnsweredOther:
    """One row's answer.

    Args:
        row: output -> a text, or texts or numbers of the row.

    Raises:
        KeyError, TypeError, ValueError: they are no outputs of tl_keras.
    """
    status = row["status"]
    if not isinstance(status, str):
        raise ValueError
    if status:
        return Answered((), (), status)
    if "values" in row:
        return _numbers(row)
    if "labels" in row:
        labels, scores = _given(row["labels"], row["probabilities"])
        cells = {"labels": labels, "scores": scores}
        return AnsweredOther(tuple(labels), tuple(scores), "", cells)
    labels, scores = row["classes"], row["scores"]
    if len(labels) != len(scores):
        raise ValueError
    best = Answered(
        tuple(str(label) for label in labels),
        tuple(float(score) for score in scores),
        "",
    )
    if "set" not in row:
        return best
    members, _ = _given(row["set"], row["probabilities"])
    # A set of none says less than the best alone.
    return AnsweredOther(*best, {"set": members or list(best.labels[:1])})


def _given(
    names: Sequence[str], likely: Sequence[float]
) -> tuple[list[str], list[float]]:
    """Names that are given of all there are, the likeliest first.

    Args:
        names: of labels, or of a set of classes; "" for others.
        likely: a probability for each.

    Returns:
        (names, their probabilities).
    """
    pairs = zip(names, likely, strict=True)
    kept = [(float(p), str(name)) for name, p in pairs if name]
    # Stable, as an export's own answers are.
    kept.sort(key=lambda pair: -pair[0])
    return [name for _, name in kept], [score for score, _ in kept]


def _numbers(row: Mapping) -> AnsweredOther:
    """Numbers by the names of their columns, with their intervals."""
    more = {}
    bounds = [end for end in ("low", "high") if end in row]
    for place, name in enumerate(row["columns"]):
        more[str(name)] = float(row["values"][place])
        for end in bounds:
            more[f"{name}_{end}"] = float(row[end][place])
    return AnsweredOther((), (), "", more)
