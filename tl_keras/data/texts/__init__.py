"""Labelled texts: tables and folders of them, and what is wrong with them.

    listing = list_texts("reviews.csv")
    for line in check_texts(listing).lines():
        print(line)

In: a `.csv` or JSONL of `text,label[,split]`, or class folders of `.txt`. Out:
a `Listing` whose examples hold their text as UTF-8, and a `TextReport`. No
TensorFlow.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "TextReport": "checks",
        "UnlabelledTexts": "unlabelled",
        "check_texts": "checks",
        "list_texts": "listing",
        "raw_texts": "raw",
    },
)
