"""What a file is that is no picture we read: the words a person needs.

In: its bytes. Out: one line: what it is and the remedy. Downloads leave HTML
pages and Git LFS pointers under picture names, phones leave HEIC.
"""

from tl_keras.inputs.image import formats

NO_PICTURE = "take it away or fetch the picture"
REMEDIES = {
    "a Git LFS pointer": "run git lfs pull",
    "a ZIP archive": f"unpack it, or {NO_PICTURE}",
    "a gzip archive": f"unpack it, or {NO_PICTURE}",
    "a RAR archive": f"unpack it, or {NO_PICTURE}",
    "a 7z archive": f"unpack it, or {NO_PICTURE}",
    "PDF": "convert its pages to JPEG or PNG",
    "a video": f"extract its pictures, or {NO_PICTURE}",
}


def describe_unrecognized(content: bytes) -> str:
    """Names what the bytes are, and the remedy.

    Args:
        content: the bytes of a file that starts as none of our formats.
    """
    kind = formats.kind_of(content[: formats.ENOUGH])
    refusal = formats.refusal(kind)
    if refusal:
        return refusal
    if kind.use in (formats.GRAPH, formats.PILLOW):
        return (
            f"{kind.name} that is damaged, or of a sort that is not read - "
            "fetch it again or convert it to JPEG or PNG"
        )
    if kind == formats.UNKNOWN:
        start = content[:4].hex(" ")
        return f"no picture: it starts with {start} - {NO_PICTURE}"
    if kind.name == "text":
        return f"text, no picture - {NO_PICTURE}"
    name = kind.name.removeprefix("an ").removeprefix("a ")
    return f"{name} - {REMEDIES.get(kind.name, NO_PICTURE)}"
