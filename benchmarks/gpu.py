"""On a GPU, against PyTorch on the same one: steps, epochs, trunk, quick start.

    python -m benchmarks.gpu --minutes=8
    python -m benchmarks.gpu --only trunk steps --numbers=found.json
    python -m benchmarks.gpu --rehearse         # on a CPU, tiny: does it run?

In: nothing; pictures are made in a temporary folder. Out: a line for each
number as soon as it is there, and at the end a table of ours, the peer's and
what was to be reached. Each part is a process of its own under a limit of its
own, so that one which fails or hangs does not end the rest. The peer is
`benchmarks.gpu_torch`, in its own processes: in one process the two libraries
crash each other.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

MARK = "RESULT "
PICTURES = 40  # seconds to make them, at most


@dataclasses.dataclass(frozen=True)
class Part:
    """A process of the benchmark.

    Attributes:
        name: printed, and where its numbers are kept.
        command: after `python -m`.
        seconds: at most so long.
    """

    name: str
    command: tuple[str, ...]
    seconds: float


def parts(folder: str, rehearse: bool) -> list[Part]:
    """What is run, the most telling first; all but the last fit 8 minutes.

    The quick start comes behind what has had the driver compile kernels for a
    new card, which it keeps for later processes.
    """
    small = ("--rehearse",) if rehearse else ()

    def ours(name: str, *more: str) -> tuple[str, ...]:
        return ("benchmarks.gpu_ours", name, f"--folder={folder}", *more,
                *small)  # fmt: skip

    def peer(name: str) -> tuple[str, ...]:
        return ("benchmarks.gpu_torch", name, f"--folder={folder}", *small)

    return [
        Part("steps, ours", ours("steps", "--jit=off"), 60),
        Part("steps, peer", peer("steps"), 40),
        Part("quick start, gpu", ours("quick_start", "--device=gpu"), 80),
        Part("quick start, cpu", ours("quick_start", "--device=cpu"), 80),
        Part("epochs, ours", ours("epochs"), 70),
        Part("epochs, peer", peer("epochs"), 40),
        Part("trunk, ours", ours("trunk"), 40),
        Part("trunk, peer", peer("trunk"), 30),
        Part("XLA steps, ours", ours("steps", "--jit=on"), 150),
    ]


# Number of ours -> (the number it is held against, reach, which is better).
REACHES = {
    "quick start, gpu, s": ("quick start, cpu, s", 1.0, "less"),
    "VGG16 b32 step, ms": ("peer VGG16 b32 step, ms", 1.1, "less"),
    "VGG16 b128 step, ms": ("peer VGG16 b128 step, ms", 1.1, "less"),
    "ResNet50 b32 step, ms": ("peer ResNet50 b32 step, ms", 1.1, "less"),
    "VGG16 b32 step, XLA, ms": ("peer VGG16 b32 step, ms", 1.1, "less"),
    "VGG16 b128 step, XLA, ms": ("peer VGG16 b128 step, ms", 1.1, "less"),
    "ResNet50 b32 step, XLA, ms": ("peer ResNet50 b32 step, ms", 1.1, "less"),
    "epoch of files, s": ("peer epoch of files, s", 1.0, "less"),
    "trunk, pictures/s": ("peer trunk, pictures/s", 0.9, "more"),
}
LIMITS = {"waiting for data, %": 2.0, "first epoch over second, s": 15.0}


def run_part(part: Part, seconds: float, found: dict[str, float]) -> str:
    """Runs a part, shows its lines, and adds its numbers to `found`.

    Returns:
        "" or why it has no more to say.
    """
    command = [sys.executable, "-u", "-m", *part.command]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", start_new_session=True,
    )  # fmt: skip
    late = threading.Timer(seconds, lambda: stop(child))
    late.start()
    tail: list[str] = []
    try:
        for line in child.stdout:
            if line.startswith(MARK):
                numbers = json.loads(line.removeprefix(MARK))
                found |= numbers
                for name, value in numbers.items():
                    print(f"  {name}: {value:.4g}", flush=True)
            else:
                tail = [*tail, line.rstrip()][-6:]
        code = child.wait()
    finally:
        late.cancel()
        stop(child)
    if not code:
        return ""
    why = f"exit {code}"
    if code == -9:
        why = f"ended by its limit of {seconds:.0f} s"
    return "; ".join([why, *tail])


def stop(child: subprocess.Popen) -> None:
    """Ends a part and the processes that it started."""
    if child.poll() is None:
        os.killpg(child.pid, 9)


def table(found: dict[str, float]) -> list[str]:
    """Ours, theirs, the ratio and the reach."""
    lines = [f"{'':<32}{'ours':>10}{'against':>10}{'ratio':>8}{'reach':>8}"]
    for name, (other, reach, better) in REACHES.items():
        if name not in found or other not in found:
            lines.append(f"{name:<32}{'not measured':>20}")
            continue
        ratio = found[name] / found[other]
        good = ratio <= reach if better == "less" else ratio >= reach
        lines.append(
            f"{name:<32}{found[name]:>10.4g}{found[other]:>10.4g}"
            f"{ratio:>8.2f}{reach:>8.2f}{'' if good else '  missed'}"
        )
    for name, most in LIMITS.items():
        if name in found:
            good = "" if found[name] <= most else "  missed"
            lines.append(
                f"{name:<32}{found[name]:>10.4g}{'':>18}{most:>8.2f}{good}"
            )
    return lines


def main() -> None:
    """Makes pictures, runs the parts while time is left, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--rehearse", action="store_true")
    parser.add_argument(
        "--only", nargs="*", default=[""], help="parts that begin so"
    )
    parser.add_argument(
        "--numbers", type=pathlib.Path,
        help="file in which numbers are kept, and read from in the next run",
    )  # fmt: skip
    arguments = parser.parse_args()
    ends = time.monotonic() + 60 * arguments.minutes
    found: dict[str, float] = {}
    if arguments.numbers and arguments.numbers.exists():
        found |= json.loads(arguments.numbers.read_text())
    with tempfile.TemporaryDirectory(prefix="tl_keras_gpu_") as folder:
        os.environ["XDG_CACHE_HOME"] = str(pathlib.Path(folder, "cache"))
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        makes = ("benchmarks.gpu_ours", "pictures", f"--folder={folder}",
                 *(("--rehearse",) if arguments.rehearse else ()))  # fmt: skip
        every = [Part("pictures", makes, PICTURES)]
        every += [
            part
            for part in parts(folder, arguments.rehearse)
            if part.name.startswith(tuple(arguments.only))
        ]
        for part in every:
            left = ends - time.monotonic()
            if left < 10:
                print(f"{part.name}: no time left", flush=True)
                continue
            print(f"{part.name}:", flush=True)
            why = run_part(part, min(left, part.seconds), found)
            if why:
                print(f"  {why}", flush=True)
            if arguments.numbers:
                arguments.numbers.write_text(json.dumps(found))
    print("\n".join(["", *table(found)]), flush=True)


if __name__ == "__main__":
    main()
