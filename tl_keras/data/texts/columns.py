"""Which columns of a table hold the text, the label and the split.

    columns = find_columns(["Review", "sentiment"], where="reviews.csv")
    columns.texts, columns.label             # ("Review",), "sentiment"

In: the names in a header. Out: a `Columns`. Names are known in any case.
"""

import dataclasses
from collections.abc import Sequence

from tl_keras.errors import DataError
from tl_keras.inputs.text.vocabulary import FIELD_MARK

# The first that is there counts, in this order.
TEXT_NAMES = (
    "text", "sentence", "review", "message", "query", "body", "utterance",
    "content", "comment", "tweet", "question", "document", "title", "headline",
    "description", "sms", "email",
)  # fmt: skip
LABEL_NAMES = (
    "label", "category", "class", "intent", "sentiment", "topic", "target",
    "labels", "label_text", "tag", "y",
)  # fmt: skip
SPLIT_NAMES = ("split", "set", "partition", "subset", "fold")


@dataclasses.dataclass(frozen=True)
class Columns:
    """Names as they stand in a header.

    Attributes:
        texts: one or more, joined in this order.
        label: the class.
        split: train, val or test; "" without such a column.
        found: what was found by a usual name that could be another: words.
    """

    texts: tuple[str, ...]
    label: str
    split: str = ""
    found: tuple[str, ...] = ()

    def joined(self, cells: Sequence[str]) -> str:
        """The fields of a row as one text."""
        fields = [cell.replace(FIELD_MARK, " ").strip() for cell in cells]
        return FIELD_MARK.join(fields) if any(fields) else ""


def find_columns(
    header: Sequence[str],
    where: str,
    text_columns: Sequence[str] = (),
    label_column: str = "",
    need_label: bool = True,
) -> Columns:
    """Finds the columns by what was told, or by their usual names.

    Args:
        header: the names of all columns.
        where: the file, for messages.
        text_columns: the columns to join; by its usual name when empty.
        label_column: of the class; by its usual name when empty.
        need_label: refuse a table without a label.

    Returns:
        `Columns`, with the names as they stand in the header.

    Raises:
        DataError: a column is missing, or stands there twice.
    """
    plain = [name.strip().lower() for name in header]
    named = [name for name in plain if name]
    for name in named:
        if named.count(name) > 1:
            raise DataError(
                f"{where}: the column {name!r:.60} stands there twice - rename "
                "one"
            )

    def find(wanted: Sequence[str]) -> str:
        for name in wanted:
            if name.strip().lower() in plain:
                return header[plain.index(name.strip().lower())]
        return ""

    shown = ", ".join(repr(name)[:40] for name in header[:12]) or "nothing"
    missing = [name for name in text_columns if not find([name])]
    if label_column and not find([label_column]):
        missing.append(label_column)
    if missing:
        raise DataError(
            f"{where}: expected the column {missing[0]!r:.60}, found {shown} - "
            "check its name, or name another by --text_column"
        )
    label = find([label_column] if label_column else LABEL_NAMES)
    texts = tuple(find([name]) for name in text_columns) or tuple(
        filter(None, [find(TEXT_NAMES)])
    )
    for found, names, option in (
        (texts, TEXT_NAMES, "--text_column"),
        (label or not need_label, LABEL_NAMES, "--label_column"),
    ):
        if not found:
            raise DataError(
                f"{where}: expected a column {names[0]} (or "
                f"{', '.join(names[1:6])}), found {shown} - rename one, or "
                f"name it by {option}"
            )
    told = []
    if not text_columns:
        taken = texts[0].strip().lower()
        others = [n for n in TEXT_NAMES if n in plain and n != taken]
        told += _found("texts", texts[0], others)
    if need_label and not label_column:
        told += _found("labels", label, [])
    return Columns(texts, label, find(SPLIT_NAMES), tuple(told))


def _found(what: str, name: str, others: Sequence[str]) -> list[str]:
    """That a column was found, where its name does not say it already."""
    if name.strip().lower() == what.removesuffix("s") and not others:
        return []
    more = ""
    if others:
        both = ",".join((*others, name.strip().lower()))
        more = (
            f", not from {' or '.join(others)}; --text_column={both} would "
            "join them"
        )
    return [f"{what} are from the column {name}{more}"]
