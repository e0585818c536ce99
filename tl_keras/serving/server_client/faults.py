"""What a server may answer instead of an answer, and what to do then.

In: its status and words. Out: `Busy`, which is asked again, `TooLarge`, which
is asked in parts, or one line for a person.
"""

from tl_keras.errors import MachineError

# How TensorFlow Serving, and gRPC, say that a request is too large.
WORDS_FOR_TOO_LARGE = ("larger than max", "larger than maximum")
MAX_SHOWN = 300  # letters of a server's own words


class Busy(Exception):
    """It cannot answer now, and may in a moment."""


class TooLarge(Exception):
    """It takes no request so large; smaller ones it may."""


def is_too_large(words: str) -> bool:
    """Whether a refusal is about size."""
    return any(known in words for known in WORDS_FOR_TOO_LARGE)


def refused(address: str, words: str, remedy: str) -> MachineError:
    """A refusal that asking again does not mend, in one line.

    Args:
        address: the server's, as it was given.
        words: what it said, of any length; shown up to `MAX_SHOWN` characters.
        remedy: what to do.

    Returns:
        The error, for the caller to raise.
    """
    shown = " ".join(words.split())[:MAX_SHOWN]
    return MachineError(f"--server={address}: {shown or 'refused'} - {remedy}")
