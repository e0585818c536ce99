"""Learning from examples without labels, on stored features.

    found = compare(features, labels, unlabelled)      # does it help?
    head = solve_with_unlabelled(
        features, labels, unlabelled, share=found.share
    )
    task = MulticlassWithUnlabelled(unlabelled=unlabelled)     # of a training

In: features of labelled examples and of others. Out: one Dense head; and what
cross-validation over the labelled ones says of it.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "Comparison": "head",
        "HeadWithUnlabelled": "head",
        "MulticlassWithUnlabelled": "task",
        "compare": "head",
        "most_unlabelled": "head",
        "neighbour_graph": "label_spreading",
        "solve_with_unlabelled": "head",
        "spread_labels": "label_spreading",
    },
)
