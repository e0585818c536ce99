"""The peer of `benchmarks.gpu`: PyTorch, bfloat16 autocast, channels last.

    python -m benchmarks.gpu_torch steps --folder=FOLDER

Prints lines of JSON that begin with RESULT. It imports no TensorFlow.
"""

import argparse
import json
import pathlib
import time

import torch
from torch import nn

from benchmarks.gpu import MARK
from benchmarks.torch_loop import network

LOADERS = 14
SIDE, ROUNDS = 224, 3


def say(**numbers: float) -> None:
    """A line for whoever started this."""
    print(MARK + json.dumps(numbers), flush=True)


class Peer:
    """A network that trains, and its step."""

    def __init__(self, backbone: str, device: str):
        torch.backends.cudnn.benchmark = True
        self.device = device
        if backbone == "VGG16":
            model = network()
        else:
            import torchvision

            model = torchvision.models.resnet50(num_classes=2)
        layout = torch.channels_last
        self.model = model.to(device).to(memory_format=layout)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4)
        self.loss = nn.CrossEntropyLoss()

    def step(self, pictures, labels) -> None:
        """Forward, back, Adam."""
        pictures = pictures.to(
            self.device, non_blocking=True, memory_format=torch.channels_last
        )
        labels = labels.to(self.device, non_blocking=True)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device, dtype=torch.bfloat16):
            loss = self.loss(self.model(pictures), labels)
        loss.backward()
        self.optimizer.step()

    def wait(self) -> None:
        """Until the device is done."""
        if self.device == "cuda":
            torch.cuda.synchronize()


def steps(folder: pathlib.Path, device: str, few: bool) -> None:
    """Milliseconds of a step on a batch that lies on the device."""
    for backbone, size in (("VGG16", 32), ("VGG16", 128), ("ResNet50", 32)):
        peer = Peer(backbone, device)
        size_now = 2 if few else size
        batch = torch.rand(size_now, 3, SIDE, SIDE, device=device)
        batch = batch.to(memory_format=torch.channels_last)
        labels = torch.arange(size_now, device=device) % 2
        count = 1 if few else 20
        for _ in range(count):
            peer.step(batch, labels)
        seconds = []
        for _ in range(ROUNDS):
            peer.wait()
            began = time.perf_counter()
            for _ in range(count):
                peer.step(batch, labels)
            peer.wait()
            seconds.append((time.perf_counter() - began) / count)
        say(**{f"peer {backbone} b{size} step, ms": 1000 * sorted(seconds)[1]})
        del peer


def epochs(folder: pathlib.Path, device: str, few: bool) -> None:
    """Seconds of an epoch from files, with loader processes."""
    from torchvision import datasets, transforms

    data = datasets.ImageFolder(
        folder / "pictures" / "train",
        transforms.Compose([
            transforms.Resize(SIDE), transforms.CenterCrop(SIDE),
            transforms.ToTensor(),
        ]),
    )  # fmt: skip
    loader = torch.utils.data.DataLoader(
        data, 32, shuffle=True, num_workers=2 if few else LOADERS,
        pin_memory=True, persistent_workers=True,
    )  # fmt: skip
    peer = Peer("VGG16", device)
    seconds = []
    for _ in range(1 if few else 4):
        began = time.perf_counter()
        for pictures, labels in loader:
            peer.step(pictures, labels)
        peer.wait()
        seconds.append(time.perf_counter() - began)
    say(**{
        "  peer, first epoch, s": seconds[0],
        "peer epoch of files, s": sorted(seconds[1:] or seconds)[
            min(1, len(seconds) - 1)
        ],
    })  # fmt: skip


def trunk(folder: pathlib.Path, device: str, few: bool) -> None:
    """Pictures a second through VGG16's convolutions, features on the host."""
    model = network()[:31].to(device).to(memory_format=torch.channels_last)
    model.eval()
    size = 2 if few else 128
    # Bytes travel, as ours do.
    batch = torch.randint(255, (size, 3, SIDE, SIDE), dtype=torch.uint8)
    batch = batch.to(memory_format=torch.channels_last)
    if device == "cuda":
        batch = batch.pin_memory()
    count = 1 if few else 20
    rates = []
    with torch.inference_mode(), torch.autocast(device, dtype=torch.bfloat16):
        for _ in range(ROUNDS + 1):
            began = time.perf_counter()
            for _ in range(count):
                model(batch.to(device, non_blocking=True).float()).cpu()
            rates.append(count * size / (time.perf_counter() - began))
    say(**{"peer trunk, pictures/s": sorted(rates[1:])[1]})


def main() -> None:
    """The part that is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part")
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--rehearse", action="store_true")
    given = parser.parse_args()
    known = {f.__name__: f for f in (steps, epochs, trunk)}
    device = "cpu" if given.rehearse else "cuda"
    torch.backends.cuda.matmul.allow_tf32 = True
    known[given.part](given.folder, device, given.rehearse)


if __name__ == "__main__":
    main()
