"""A dataset's name -> what it holds, and which of it is for what.

    listing = list_dataset("flowers")

In: a folder, a .csv, `tfds:NAME` or `digits`. Out: a `Listing`. Listing
(`folders`, `tables`, `catalogues`) and cutting (`splits`) know nothing of each
other. No TensorFlow: names are imported at their first use.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "SAME_FILE": "walking",
        "Cut": "splits",
        "Examples": "examples",
        "Found": "unlabelled",
        "ListOptions": "options",
        "Listing": "examples",
        "Skip": "examples",
        "Unlabelled": "unlabelled",
        "check_cut": "splits",
        "faults_of_skips": "limits",
        "is_table": "listing",
        "joined": "examples",
        "list_dataset": "listing",
        "names_of_skips": "limits",
        "names_changed": "splits",
        "split_changes": "splits",
        "without_unreadable": "limits",
        "write_split": "splits",
    },
)
