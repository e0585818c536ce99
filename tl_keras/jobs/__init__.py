"""What the commands do, one file a command: settings in, files out.

    result = run(TransferConfig(dataset="flowers", backbone="MobileNetV2"))
    result.metrics["test"]["accuracy"], result.version

Only this room knows both the settings and the pieces; the pieces take plain
arguments. `transfer` is the main job; `checking`, `predicting`, `evaluating`
and `reporting` are the others. The names below are loaded when they are used,
so that a check of the data needs no Keras.
"""

from tl_keras.errors import refuse_windows
from tl_keras.lazy_names import names_of

refuse_windows()

__all__, __getattr__, __dir__ = names_of(
    __name__,
    {
        "run": "transfer",
        "plan": "transfer",
        "find_rates": "rates",
        "RunResult": "result",
    },
)
