"""A process of its own: asks a file through the runtime it was made for.

    python -I ask_file.py PLACES-AS-JSON ANSWERS.npz KIND BATCH

In: messages on standard input, each with its length before it (8 bytes, big end
first): the file, then examples: pictures as size x size x 3 bytes, or, where
the file takes whole numbers, token ids as int32. Out: ANSWERS.npz, with the
file's only output for all of them as `answers`, asked BATCH at a time.

No TensorFlow: LiteRT's interpreter ("tflite") or ONNX Runtime ("onnx") alone.
"""

import json
import os
import sys

sys.path += [p for p in json.loads(sys.argv[1]) if p not in sys.path]

import numpy as np


def main(_, answers, kind, batch) -> None:
    """Answers everything; any fault ends the process.

    Args:
        answers: the .npz to write, `answers` float32 (n, outputs).
        kind: "tflite" or "onnx".
        batch: examples asked at once, as text.
    """
    received = messages()
    file = os.fsdecode(next(received))
    ask, whole = {"tflite": litert, "onnx": onnx_runtime}[kind](file)
    read = token_ids if whole else pixels
    rows = [ask(some) for some in batches(received, read, int(batch))]
    np.savez(answers, answers=np.concatenate(rows))


def litert(file: str):
    """A .tflite file as a function of batches, by its signature's names; and
    whether it takes whole numbers."""
    from ai_edge_litert.interpreter import Interpreter

    # By itself it takes one core.
    interpreter = Interpreter(model_path=file, num_threads=os.cpu_count())
    (signature,) = interpreter.get_signature_list()
    run = interpreter.get_signature_runner(signature)
    ((name, given),) = run.get_input_details().items()

    def ask(batch):
        (answer,) = run(**{name: batch}).values()
        return answer

    return ask, given["dtype"] == np.int32


def onnx_runtime(file: str):
    """As `litert`, of an .onnx file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        file, providers=["CPUExecutionProvider"]
    )
    (given,) = session.get_inputs()
    return (
        lambda batch: session.run(None, {given.name: batch})[0],
        given.type == "tensor(int32)",
    )


def messages():
    """What was sent over standard input, until it ends."""
    stream = sys.stdin.buffer
    while header := stream.read(8):
        yield stream.read(int.from_bytes(header, "big"))


def pixels(content: bytes):
    """A picture, float32 (size, size, 3)."""
    side = round((len(content) / 3) ** 0.5)
    example = np.frombuffer(content, np.uint8).reshape(side, side, 3)
    return example.astype(np.float32)


def token_ids(content: bytes):
    """A text, int32 (tokens,)."""
    return np.frombuffer(content, np.int32)


def batches(contents, read, size: int):
    """Arrays of up to `size` examples.

    Args:
        contents: their bytes.
        read: bytes -> an example's array.
        size: examples in an array, the last has what is left.
    """
    batch = []
    for content in contents:
        batch.append(read(content))
        if len(batch) == size:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


if __name__ == "__main__":
    main(*sys.argv[1:])
