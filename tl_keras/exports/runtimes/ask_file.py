"""A process of its own: asks a file through the runtime it was made for.

    python -I ask_file.py PLACES-AS-JSON ANSWERS.npz KIND BATCH

No TensorFlow: LiteRT's interpreter ("tflite") or ONNX Runtime ("onnx") alone.
It reads messages from standard input, each with its length before it (8 bytes,
big end first): the file, then pictures as size x size x 3 bytes. It gives the
file's only output for all of them, as `answers`, asked BATCH at a time.
"""

import json
import os
import sys

sys.path += [p for p in json.loads(sys.argv[1]) if p not in sys.path]

import numpy as np

PIXELS = "pixels"


def main(_, answers, kind, batch) -> None:
    """Answers everything; any fault ends the process.

    Args:
        answers: the .npz to write, `answers` float32 (n, outputs).
        kind: "tflite" or "onnx".
        batch: pictures asked at once, as text.
    """
    received = messages()
    file = os.fsdecode(next(received))
    ask = {"tflite": litert, "onnx": onnx_runtime}[kind](file)
    rows = [ask(pictures) for pictures in batches(received, int(batch))]
    np.savez(answers, answers=np.concatenate(rows))


def litert(file: str):
    """A .tflite file as a function of batches, by its signature's names."""
    from ai_edge_litert.interpreter import Interpreter

    # By itself it takes one core.
    interpreter = Interpreter(model_path=file, num_threads=os.cpu_count())
    (signature,) = interpreter.get_signature_list()
    run = interpreter.get_signature_runner(signature)

    def ask(pictures):
        (answer,) = run(**{PIXELS: pictures}).values()
        return answer

    return ask


def onnx_runtime(file: str):
    """An .onnx file as a function of batches."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        file, providers=["CPUExecutionProvider"]
    )
    return lambda pictures: session.run(None, {PIXELS: pictures})[0]


def messages():
    """What was sent over standard input, until it ends."""
    stream = sys.stdin.buffer
    while header := stream.read(8):
        yield stream.read(int.from_bytes(header, "big"))


def batches(pictures, size: int):
    """float32 arrays of up to `size` pictures."""
    batch = []
    for content in pictures:
        side = round((len(content) / 3) ** 0.5)
        batch.append(np.frombuffer(content, np.uint8).reshape(side, side, 3))
        if len(batch) == size:
            yield np.stack(batch).astype(np.float32)
            batch = []
    if batch:
        yield np.stack(batch).astype(np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
