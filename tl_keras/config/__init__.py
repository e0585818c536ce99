"""The settings of a run and of the data check. No TensorFlow.

config = TransferConfig(dataset="flowers", backbone="MobileNetV2")
config.validate()              # ConfigError lists all faults at once
config = TransferConfig.from_strings({"dataset": "flowers"})
"""

from tl_keras.config.check import CheckConfig
from tl_keras.config.data import DataConfig
from tl_keras.config.export import newest_version
from tl_keras.config.report import ReportConfig
from tl_keras.config.transfer import TransferConfig

__all__ = [
    "CheckConfig",
    "DataConfig",
    "ReportConfig",
    "TransferConfig",
    "newest_version",
]
