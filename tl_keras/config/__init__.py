"""The settings of a run: `TransferConfig`. No TensorFlow.

config = TransferConfig(dataset="flowers", backbone="MobileNetV2")
config.validate()              # ConfigError lists all faults at once
config = TransferConfig.from_strings({"dataset": "flowers"})
"""

from tl_keras.config.transfer import TransferConfig

__all__ = ["TransferConfig"]
