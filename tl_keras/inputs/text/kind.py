"""What can be done with a text's bytes alone: shown, never mended.

In: bytes. Out: an excerpt; see `inputs.kinds`. No TensorFlow.
"""

from tl_keras.inputs.kinds import Kind, Preview
from tl_keras.inputs.text.facts import excerpt


class TextKind(Kind):
    """Texts in UTF-8."""

    name = "text"

    def mended(self, encoded: bytes) -> None:
        """Nothing: what a text should be nobody can guess."""

    def explain(self, encoded: bytes, status: str) -> str:
        """The status, and that UTF-8 is expected."""
        return f"{status} - save it as UTF-8"

    def preview(self, encoded: bytes) -> Preview:
        """Its first words."""
        return Preview(None, excerpt(encoded))
