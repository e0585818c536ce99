"""All layers train: nothing can be kept but the decoded pictures.

Besides the ratio to plain Keras it prints the step rate from files, after the
first epoch, as a share of that from ready tensors.
"""

import time

import keras
import tensorflow as tf

from benchmarks.head_phase import plain, stored
from benchmarks.material import mobilenet
from benchmarks.rounds import compare, describe_machine, rounds_asked, spread
from tl_keras.networks import build_classifier
from tl_keras.sources import TensorMemory, TrainingBatches, load_images
from tl_keras.strategies import set_trainable, training_graph


def step_rates(epochs: int) -> tuple[list[float], list[float]]:
    """Epoch by epoch in turn: rate from files / rate from ready tensors; and
    the share of the time from files that waits for a batch."""
    work = mobilenet()
    images = load_images(str(work.data), image_size=work.image_size).train
    model = build_classifier(
        work.backbone, 2, backbone_args=dict(work.arguments),
        weights=work.weights,
    )  # fmt: skip
    set_trainable(model, "all")
    fitting = training_graph(model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    fitting.compile(keras.optimizers.Adam(1e-5), loss)
    epoch = tf.Variable(0, dtype=tf.int64)
    # As `fit_phases` takes them: one dataset, gone through once an epoch.
    files = TrainingBatches(images, 32, memory=TensorMemory(4.0))(epoch)
    ready = list(files)

    def seconds(batches) -> tuple[float, float]:
        """(of the epoch, of them spent waiting for batches)."""
        began, waited, left = time.perf_counter(), 0.0, iter(batches)
        while True:
            asked = time.perf_counter()
            batch = next(left, None)
            waited += time.perf_counter() - asked
            if batch is None:
                return time.perf_counter() - began, waited
            fitting.train_on_batch(*batch)

    seconds(ready)  # The trace.
    rates, waits = [], []
    for number in range(1, epochs):
        epoch.assign(number)
        from_memory, _ = seconds(ready)
        from_files, waited = seconds(files)
        rates.append(from_memory / from_files)
        waits.append(waited / from_files)
    return rates, waits


def main() -> None:
    """MobileNetV2, five epochs of everything."""
    rounds = rounds_asked(3)
    describe_machine()
    work = mobilenet(fine_tune_epochs=5)
    compare(
        "full fine-tune, MobileNetV2 0.35, 5 epochs",
        plain(work),
        {"ours": (stored(work), 0)},
        rounds=rounds,
    )
    rates, waits = step_rates(12)
    print(f"\nstep rate, files / ready tensors: {spread(rates)}")
    print(f"share of the time that waits for a batch: {spread(waits)}")


if __name__ == "__main__":
    main()
