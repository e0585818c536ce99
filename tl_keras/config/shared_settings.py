"""Settings that several commands have, each in a group of its own.

    path_column: str = path_column_in("Examples")

In: the heading under which `--help` lists it. Out: a field, the same in each
command. No TensorFlow.
"""

from tl_keras.config.settings import setting


def io_timeout_in(group: str) -> float:
    """The setting of every command that reads pictures."""
    return setting(
        600.0,
        "end where a file gives no answer for so long, as on a network share "
        "that hangs; after 30 seconds it is told",
        group=group,
        unit="seconds",
        low=1,
        high=10**6,
    )


def follow_links_in(group: str) -> bool:
    """The setting of every command that walks through folders."""
    return setting(
        False,
        "take folders that are links, and paths of a table that lead through "
        "one out of its folder; each real file is taken once",
        group=group,
    )


def path_column_in(group: str) -> str:
    """The setting of every command that reads tables."""
    return setting(
        "",
        "the column of a table that has the paths, by its name, or by its "
        "number where there is no header; found by the usual names (path, "
        "filename, image, image_id, id, ...) when not given",
        group=group,
    )


def text_column_in(group: str) -> str:
    """The setting of every command that reads tables of texts."""
    return setting(
        "",
        "the column of a table that has the texts, or several that are joined "
        "(commas between them), as title,body; found by the usual names (text, "
        "sentence, review, message, query, body, ...) when not given",
        group=group,
    )


def text_encoding_in(group: str) -> str:
    """The setting of every command that reads files of texts."""
    return setting(
        "auto",
        "of files of texts, as Python names it, such as latin-1; auto "
        "recognizes UTF-8 and UTF-16, and tells where it has to guess",
        group=group,
    )


def include_in(group: str) -> str:
    """The setting of every command that walks through folders."""
    return setting(
        "",
        "take only files that fit a pattern (commas between several): without "
        "a slash it is compared with each name on the way to a file, with one "
        "with its path from the dataset's folder",
        group=group,
    )


def exclude_in(group: str) -> str:
    """The setting of every command that walks through folders."""
    return setting(
        "",
        "leave out files and folders that fit a pattern, such as *_mask.png "
        "or thumbs (commas between several; as --include)",
        group=group,
    )
