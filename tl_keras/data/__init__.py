"""A dataset's name -> what it holds, and which of it is for what.

    listing = list_dataset("flowers")

In: a folder, a table, `tfds:NAME` or `digits`. Out: a `Listing`. Listing
(`folders`, `tables`, `catalogues`) and cutting (`splits`) know nothing of each
other. No TensorFlow: names are imported at their first use.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "SAME_FILE": "walking",
        "Cut": "cut",
        "Examples": "examples",
        "Found": "unlabelled",
        "ListOptions": "options",
        "Listing": "examples",
        "RawTable": "raw_tables",
        "Skip": "examples",
        "Unlabelled": "unlabelled",
        "check_cut": "splits",
        "faults_of_skips": "limits",
        "is_table": "rows",
        "joined": "examples",
        "labels_by_path": "labels",
        "list_dataset": "listing",
        "names_of_skips": "limits",
        "names_changed": "split_record",
        "read_marks": "labels",
        "read_numbers": "numbers",
        "read_table": "raw_tables",
        "separators_in": "labels",
        "set_apart": "apart",
        "split_changes": "split_record",
        "split_labels": "labels",
        "target_facts": "readings",
        "without_unreadable": "limits",
        "write_split": "split_record",
    },
)
