"""Which way to adapt a network is best: asked of all labels, by folds.

    plan = plan_search(candidates, costs, folds=3, seconds=60.0)
    found = Search(fits, plan).run()
    found.share, found.variables, found.numbers()

In: a classifier, labelled examples, ways to fine-tune. Out: the best of them
by what each fold says of examples that it did not learn, and weights that all
labels have taught. The test split has no part in it.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "Candidate": "candidates",
        "FoldFits": "fold_fits",
        "Found": "searching",
        "HeadAnswers": "head",
        "Known": "fold_fits",
        "SearchPlan": "plan",
        "Tried": "searching",
        "bolder": "candidates",
        "candidates_of": "candidates",
        "cut_examples": "folds",
        "head_answers": "head",
        "plan_search": "plan",
        "search": "searching",
        "forward_seconds": "measuring",
        "measure_costs": "measuring",
        "reckon_costs": "measuring",
    },
)
