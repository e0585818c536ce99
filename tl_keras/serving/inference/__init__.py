"""Pictures, in any number, through an export: rows in files, each once.

    export = inspect_export("saved_models/flowers")
    done = predict_examples(
        Predictor(Loaded(export), top_k=5), Unlabelled("photos"), "answers",
        known_as={"model": export.sha256}, batch_size=32,
    )
    done.predicted, done.unreadable, done.ignored

In: something to ask, pictures without labels, a folder. Out: predictions.jsonl
(exact), predictions.csv (for people and spreadsheets) and gallery.html, and the
books: found = predicted + unreadable + ignored.

Memory does not grow with the number of pictures. A run that is killed goes on
where it was: rows are kept in parts, each complete or absent, and batches are
cut at the same places, so that the files are the same byte for byte.
"""

from tl_keras.serving.inference.asking import (
    Answer,
    Loaded,
    Predictor,
    explained,
)
from tl_keras.serving.inference.listing import Listing
from tl_keras.serving.inference.streaming import (
    MAX_BYTES,
    Done,
    predict_examples,
)

__all__ = [
    "MAX_BYTES",
    "Answer",
    "Done",
    "Listing",
    "Loaded",
    "Predictor",
    "explained",
    "predict_examples",
]
