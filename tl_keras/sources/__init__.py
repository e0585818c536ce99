"""Listed examples -> batches in (seed, epoch) order.

    images = load_images("flowers", image_size=224, seed=0)
    model.fit(images.train.shuffled(32), validation_data=images.val.batches(32))

In: a dataset's name, or a listing. Out: an `LabelledSplits`, and batches of it.
"""

from tl_keras.lazy_names import names_of

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "EpochSource": "epoch_source",
        "FixedBatches": "batches",
        "GivenBatches": "epoch_source",
        "LabelledSplits": "loading",
        "LabelledExamples": "pipeline",
        "TensorMemory": "batches",
        "Texts": "texts",
        "TrainingBatches": "batches",
        "Views": "batches",
        "as_source": "epoch_source",
        "load_images": "loading",
        "split_examples": "loading",
    },
)
