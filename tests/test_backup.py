"""callbacks.AtomicBackup in plain Keras scripts that are killed."""

import signal
import subprocess
import sys

import pytest

# Dropout, BatchNorm, a partial last batch, early stopping, two fits in a row.
SCRIPT = """
import os, signal, sys, hashlib, json
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np, tensorflow as tf
from tl_keras.callbacks import AtomicBackup

backup_dir, kill_at, save_freq = sys.argv[1], int(sys.argv[2]), sys.argv[3]
save_freq = int(save_freq) if save_freq.isdecimal() else save_freq
keras.utils.set_random_seed(3)
tf.config.experimental.enable_op_determinism()
random = np.random.default_rng(0)
x = random.normal(size=(50, 6)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
model = keras.Sequential([
    keras.Input((6,)), keras.layers.Dense(8, activation="relu"),
    keras.layers.BatchNormalization(), keras.layers.Dropout(0.5),
    keras.layers.Dense(2),
])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile("adam", loss, metrics=["accuracy"])
epoch = tf.Variable(0, dtype=tf.int64)

def order(_):
    key = tf.stack([tf.constant(7, tf.int64), epoch])
    return tf.data.Dataset.from_tensor_slices(
        tf.argsort(tf.random.stateless_uniform([50], key)))

data = tf.data.Dataset.range(1).flat_map(order)
data = data.apply(tf.data.experimental.assert_cardinality(50))
data = data.map(lambda i: (tf.gather(x, i), tf.gather(y, i))).batch(8)
batches = 0

class Killer(keras.callbacks.Callback):
    def on_epoch_begin(self, number, logs=None):
        epoch.assign(number)
    def on_train_batch_end(self, batch, logs=None):
        global batches
        batches += 1
        if batches == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

backup = AtomicBackup(backup_dir, save_freq=save_freq)
histories = []
for patience in (2, 1):
    early = keras.callbacks.EarlyStopping(
        "val_loss", patience=patience, restore_best_weights=True)
    backup.callbacks = (early,)
    histories.append(model.fit(
        data, epochs=6, validation_data=(x[:20], y[:20]), verbose=0,
        shuffle=False, callbacks=[Killer(), early, backup]))
digest = hashlib.sha256()
for v in [*model.variables, *model.optimizer.variables]:
    digest.update(np.ascontiguousarray(v.numpy()).tobytes())
print(json.dumps([digest.hexdigest(), batches,
                  [[h.epoch, h.history] for h in histories]]))
"""


def run_script(folder, kill_at=0, save_freq="epoch"):
    """The script's last line, or None where it was killed."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(kill_at), save_freq],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode == -signal.SIGKILL:
        return None
    assert done.returncode == 0, done.stderr[-2000:]
    return __import__("json").loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    return run_script(tmp_path_factory.mktemp("straight") / "backup")


@pytest.mark.parametrize(
    ("save_freq", "kills"), [("epoch", (10, 24, 9)), ("2", (5, 4, 17, 16))]
)
def test_a_killed_script_ends_with_the_same_bits(
    straight, tmp_path, save_freq, kills
):
    for kill_at in kills:
        assert run_script(tmp_path / "b", kill_at, save_freq) is None
    bits, trained, histories = run_script(tmp_path / "b", 0, save_freq)
    assert bits == straight[0]
    assert histories == straight[2]
    assert trained < straight[1]
    # All is done now: it trains nothing, and ends the same.
    again = run_script(tmp_path / "b", 0, save_freq)
    assert again[0] == straight[0]
    assert again[1] == 0
    assert again[2] == straight[2]
