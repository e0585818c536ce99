"""A flag that is none of ours -> the flag that was meant.

    suggest("lr", known)      # "did you mean --head_learning_rate or ..."

In: a name as somebody typed it. Out: the end of the line that refuses it.
What other programs call a setting comes before what is spelt alike.
"""

import difflib
from collections.abc import Collection

RATES = ("head_learning_rate", "fine_tune_learning_rate")
EPOCHS = ("head_epochs", "fine_tune_epochs")
# As other tools and people call them -> ours, where the command has them.
MEANT = {
    "lr": RATES,
    "learning_rate": RATES,
    "epochs": EPOCHS,
    "epoch": EPOCHS,
    "n_epochs": EPOCHS,
    "num_epochs": EPOCHS,
    "max_epochs": EPOCHS,
    "finetune": ("fine_tune_epochs",),
    "fine_tune": ("fine_tune_epochs",),
    "freeze": ("unfreeze_from",),
    "freeze_epochs": ("head_epochs",),
    "unfreeze": ("unfreeze_from",),
    "pretrained": ("weights",),
    "checkpoint": ("warm_start",),
    "ckpt": ("warm_start",),
    "init": ("warm_start",),
    "resume": ("restart",),
    "arch": ("backbone",),
    "architecture": ("backbone",),
    "network": ("backbone",),
    "model": ("backbone", "model"),
    "model_name": ("backbone",),
    "encoder": ("backbone",),
    "data": ("dataset", "input"),
    "data_path": ("dataset", "input"),
    "train_dir": ("dataset",),
    "images": ("dataset", "input"),
    "image": ("input",),
    "source": ("dataset", "input"),
    "test": ("test_dataset",),
    "test_dir": ("test_dataset",),
    "val": ("val_dataset", "val_fraction"),
    "val_dir": ("val_dataset",),
    "val_split": ("val_fraction",),
    "validation_split": ("val_fraction",),
    "test_split": ("test_fraction",),
    "img_size": ("image_size",),
    "imgsz": ("image_size",),
    "input_size": ("image_size",),
    "size": ("image_size",),
    "bs": ("batch_size",),
    "batch": ("batch_size",),
    "wd": ("weight_decay",),
    "opt": ("optimizer",),
    "sched": ("schedule",),
    "scheduler": ("schedule",),
    "warmup": ("warmup_epochs",),
    "patience": ("early_stopping_patience",),
    "early_stopping": ("early_stopping_patience",),
    "augmentation": ("augment",),
    "aug": ("augment",),
    "drop": ("dropout",),
    "smoothing": ("label_smoothing",),
    "balanced": ("class_weights",),
    "amp": ("precision",),
    "fp16": ("precision",),
    "bf16": ("precision",),
    "gpu": ("device",),
    "cuda": ("device",),
    "out": ("output_dir",),
    "output": ("output_dir",),
    "save_dir": ("output_dir",),
    "logdir": ("output_dir",),
    "random_state": ("seed",),
    "format": ("export",),
    "formats": ("export",),
    "k": ("top_k",),
    "topk": ("top_k",),
    "folder": ("dataset", "input", "run"),
    "verbose": ("verbosity",),
    "silent": ("quiet",),
}


def suggest(name: str, known: Collection[str]) -> str:
    """What to write in the place of a flag that there is not.

    Args:
        name: without dashes.
        known: the flags of the command.
    """
    plain = name.lower().replace("-", "_")
    meant = [flag for flag in MEANT.get(plain, ()) if flag in known]
    if not meant and plain in known:
        meant = [plain]
    if not meant:
        alike = difflib.get_close_matches(plain, MEANT, n=1, cutoff=0.8)
        other = [flag for name in alike for flag in MEANT[name]]
        near = difflib.get_close_matches(plain.removeprefix("no"), known, n=2)
        near = [flag for flag in other if flag in known] or near
        meant = near or difflib.get_close_matches(plain, known, n=2, cutoff=0.5)
    if not meant:
        return "see --help"
    return "did you mean " + " or ".join(f"--{n}" for n in meant) + "?"
