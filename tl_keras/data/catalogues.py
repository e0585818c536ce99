"""Data sets that have a name -> examples: scikit-learn's digits, TFDS.

    list_digits().splits["train"]
    list_tfds("tfds:tf_flowers").class_names

In: a name. Out: a `Listing`. There are no picture files, so each picture
becomes a lossless PNG in memory and its id is `NAME/split/index`; what comes
after sees encoded pictures, whatever they came from.
"""

import difflib
import io
import os
import re
import socket

import numpy as np
from PIL import Image

from tl_keras import log
from tl_keras.data.examples import Examples, Listing
from tl_keras.errors import DataError, MachineError

TFDS_SPLITS = {"train": "train", "validation": "val", "test": "test"}
# Asked for before a download: TFDS itself retries for minutes when offline.
TFDS_HOST = "storage.googleapis.com"


def list_digits() -> Listing:
    """The 1,797 handwritten digits that ship inside scikit-learn.

    8 x 8 pixels, 17 grey levels spread over 0 to 255, ten classes, no splits
    of their own.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    pictures = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    examples = Examples(
        tuple(f"digits/all/{i}" for i in range(len(pictures))),
        digits.target.astype(np.int32),
        encoded=tuple(png(picture) for picture in pictures),
    )
    return Listing(
        {"train": examples}, tuple(str(n) for n in digits.target_names), {}
    )


def list_tfds(
    spec: str, data_dir: str = "", *, download: bool = True
) -> Listing:
    """Lists a TensorFlow data set, downloading it if it is not prepared.

    Its pictures are held in memory as PNG while the run lasts.

    Args:
        spec: `tfds:NAME[/config][:version]`.
        data_dir: folder of prepared sets; TFDS's own default when empty.
        download: whether one that is not prepared may be fetched.

    Returns:
        Of the splits that the set has, named train, val and test.

    Raises:
        DataError: no such set, or it has no image and label.
        MachineError: it must be downloaded and there is no network.
    """
    name = spec.removeprefix("tfds:")
    # A namespace (huggingface:, kaggle:) would run or fetch others' code.
    if not re.fullmatch(r"\w+(/[\w.+-]+)?(:[\d.*]+)?", name):
        raise DataError(
            f"--dataset={spec}: expected tfds:NAME[/config][:version] - see "
            "the TFDS catalogue for names"
        )
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir or None)
    except (
        ValueError,
        AssertionError,
        tfds.core.registered.DatasetNotFoundError,
    ) as error:
        raise DataError(_unknown(spec, name, error)) from None
    features = builder.info.features
    if not {"image", "label"} <= set(features or ()):
        raise DataError(
            f"--dataset={spec}: expected the features image and label, found "
            f"{', '.join(features or ())} - only classification sets do"
        )
    if not download and not builder.info.splits:
        raise DataError(
            f"--dataset={spec}: it is not prepared in {builder.data_dir}, and "
            "--dry_run downloads nothing - python -m tl_keras.check "
            f"--dataset={spec} fetches it"
        )
    _prepare(builder, spec)
    short = name.split(":")[0]
    splits = {
        TFDS_SPLITS[split]: _tfds_split(builder, split, short)
        for split in builder.info.splits
        if split in TFDS_SPLITS
    }
    unused = [s for s in builder.info.splits if s not in TFDS_SPLITS]
    ignored = {
        f"the split {s}": builder.info.splits[s].num_examples for s in unused
    }
    return Listing(splits, tuple(features["label"].names), ignored)


def _unknown(spec: str, name: str, error: Exception) -> str:
    """The line for a set that is not there: nearest names, or the reason."""
    import tensorflow_datasets as tfds

    wanted, known = re.split("[/:]", name)[0], tfds.list_builders()
    if wanted not in known:
        near = difflib.get_close_matches(wanted, known, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else ""
        hint = hint or "see the TFDS catalogue for names"
        return f"--dataset={spec}: no such TensorFlow data set - {hint}"
    reason = str(error).strip().splitlines()[0][:160]
    return (
        f"--dataset={spec}: no such config or version ({reason}) - see the "
        "TFDS catalogue"
    )


def _prepare(builder, spec: str) -> None:
    """Downloads a set that is not there, and says so first."""
    if builder.info.splits:
        return
    behind_proxy = any(v in os.environ for v in ("HTTPS_PROXY", "https_proxy"))
    try:
        if not behind_proxy:
            socket.getaddrinfo(TFDS_HOST, 443)
        log.info(f"{spec}: downloading to {builder.data_dir}")
        builder.download_and_prepare()
    except Exception as error:
        # A checksum that differs is TFDS's own type, without a base to name.
        if "Checksum" in type(error).__name__:
            raise DataError(
                f"--dataset={spec}: what was downloaded is not what TFDS "
                "expects (its checksum differs) - empty "
                f"{builder.data_dir} and its downloads, and try again"
            ) from None
        if not isinstance(error, (OSError, AssertionError)):
            raise
        raise MachineError(
            f"--dataset={spec}: it is not prepared in {builder.data_dir} and "
            f"cannot be downloaded ({type(error).__name__}) - prepare it on a "
            "machine with network, copy the folder, and give its parent as "
            "--data_dir"
        ) from None


def _tfds_split(builder, split: str, name: str) -> Examples:
    ids, labels, encoded = [], [], []
    # One reader and no shuffle: the index in the id is the same every time.
    rows = builder.as_dataset(split=split, shuffle_files=False)
    for index, row in enumerate(rows.as_numpy_iterator()):
        ids.append(f"{name}/{split}/{index}")
        labels.append(int(row["label"]))
        encoded.append(png(row["image"]))
    return Examples(
        tuple(ids), np.array(labels, np.int32), encoded=tuple(encoded)
    )


def png(picture: np.ndarray) -> bytes:
    """uint8 pixels (h, w), (h, w, 1) or (h, w, 3) as the bytes of a PNG."""
    if picture.ndim == 3 and picture.shape[-1] == 1:
        picture = picture[..., 0]
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()
