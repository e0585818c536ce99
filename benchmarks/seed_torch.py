"""The hand-written PyTorch loop of the document, for time alone.

VGG16 spelled out (random weights), a 4096-4096-2 classifier, all layers
train with Adam at 1e-3, batches of 32; against the same recipe by our pieces
(configs/vgg16_classic.flags). It needs the extra `bench` (torch).
"""

import tempfile
import time

import numpy as np

from benchmarks import ours
from benchmarks.material import vgg16
from benchmarks.rounds import compare, describe_machine, rounds_asked
from tl_keras.data import load_images

WIDTHS = (
    64,
    64,
    0,
    128,
    128,
    0,
    256,
    256,
    256,
    0,
    512,
    512,
    512,
    0,
    512,
    512,
    512,
    0,
)  # fmt: skip  (0: pooling)
EPOCHS = 2


def torch_network():
    """VGG16 with its classifier of the document, 2 classes."""
    from torch import nn

    layers, channels = [], 3
    for width in WIDTHS:
        if width:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2))
    head = [nn.Flatten(), nn.Linear(512 * 7 * 7, 4096), nn.ReLU(),
            nn.Dropout(0.5), nn.Linear(4096, 4096), nn.ReLU(),
            nn.Dropout(0.5), nn.Linear(4096, 2)]  # fmt: skip
    return nn.Sequential(*layers, *head)


def loop(batches: list[tuple[np.ndarray, np.ndarray]]) -> dict:
    """The document's loop over pictures that are in memory already."""
    import torch
    from torch import nn

    model, loss_of = torch_network(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    began = time.perf_counter()
    for _ in range(EPOCHS):
        for pictures, labels in batches:
            optimizer.zero_grad()
            loss = loss_of(model(pictures), labels)
            loss.backward()
            optimizer.step()
    return {"seconds": time.perf_counter() - began}


def main() -> None:
    """Two epochs of 64 pictures each."""
    import torch

    rounds = rounds_asked(2)
    describe_machine()
    print(f"torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        work = vgg16(folder, fine_tune_epochs=EPOCHS)
        images = load_images(str(work.data), image_size=224).train
        batches = [
            (
                torch.from_numpy(
                    (x.numpy() / 255).transpose(0, 3, 1, 2).astype(np.float32)
                ),
                torch.from_numpy(y.numpy().astype(np.int64)),
            )
            for x, y in images.batches(32)
        ]

        def keras_recipe() -> dict:
            return {"seconds": ours.classic_seconds(work)}

        compare(
            "VGG16, everything trains, 64 pictures, 2 epochs",
            lambda: loop(batches),
            {"ours": (keras_recipe, 0)},
            rounds=rounds,
        )


if __name__ == "__main__":
    main()
