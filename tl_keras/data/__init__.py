"""A dataset's name -> train, val and test pictures, and its class names.

    images = load_images("flowers", image_size=224, seed=0)
    model.fit(images.train.shuffled(32), validation_data=images.val.batches(32))

In: a folder, a .csv, `tfds:NAME` or `digits`. Out: an `ImageSplits`. Listing
(`folders`, `tables`, `catalogues`), cutting (`splits`) and reading
(`pipeline`) know nothing of each other. Only reading loads TensorFlow: names
are imported at their first use.
"""

import importlib

# Public name -> the module it lives in.
_MODULES = {
    "SAME_FILE": "walking",
    "Cut": "splits",
    "Examples": "examples",
    "FixedBatches": "batches",
    "Found": "unlabelled",
    "ImageSplits": "loading",
    "Images": "pipeline",
    "ListOptions": "options",
    "Listing": "examples",
    "PixelMemory": "batches",
    "Skip": "examples",
    "TrainingBatches": "batches",
    "Unlabelled": "unlabelled",
    "Views": "batches",
    "check_cut": "splits",
    "faults_of_skips": "limits",
    "is_table": "listing",
    "joined": "examples",
    "list_dataset": "listing",
    "load_images": "loading",
    "names_of_skips": "limits",
    "split_changes": "splits",
    "split_images": "loading",
    "without_unreadable": "limits",
    "write_split": "splits",
}
__all__ = list(_MODULES)


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"tl_keras.data.{_MODULES[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
