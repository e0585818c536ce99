"""The loop of the document in PyTorch, in a process of its own.

    python -m benchmarks.torch_loop BATCHES.npz EPOCHS

VGG16 spelled out (random weights) with a 4096-4096-2 classifier; all layers
train with Adam at 1e-3. Prints torch's version and the seconds of the loop. It
imports no TensorFlow: in one process the two libraries crash each other.
"""

import sys
import time

import numpy as np
import torch
from torch import nn

# Channels of each convolution; 0 is pooling.
LAYERS = (
    64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512,
    0,
)  # fmt: skip


def network() -> nn.Module:
    """VGG16 with its classifier of the document, 2 classes."""
    layers, channels = [], 3
    for width in LAYERS:
        if width:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        else:
            layers.append(nn.MaxPool2d(2))
    head = [nn.Flatten(), nn.Linear(512 * 7 * 7, 4096), nn.ReLU(),
            nn.Dropout(0.5), nn.Linear(4096, 4096), nn.ReLU(),
            nn.Dropout(0.5), nn.Linear(4096, 2)]  # fmt: skip
    return nn.Sequential(*layers, *head)


def main(file: str, epochs: str) -> None:
    """Trains on the batches of a file, which are in memory by then."""
    with np.load(file) as arrays:
        batches = [
            tuple(torch.from_numpy(arrays[f"{kind}{i}"]) for kind in "xy")
            for i in range(len(arrays) // 2)
        ]
    model, loss_of = network(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    began = time.perf_counter()
    for _ in range(int(epochs)):
        for pictures, labels in batches:
            optimizer.zero_grad()
            loss = loss_of(model(pictures), labels)
            loss.backward()
            optimizer.step()
    print(torch.__version__, time.perf_counter() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])
