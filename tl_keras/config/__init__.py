"""The settings of every command. No TensorFlow.

config = TransferConfig(dataset="flowers", backbone="MobileNetV2")
config.validate()              # ConfigError lists all faults at once
config = TransferConfig.from_strings({"dataset": "flowers"})
"""

from tl_keras.config.check import CheckConfig
from tl_keras.config.compare import CompareConfig
from tl_keras.config.data import DataConfig
from tl_keras.config.evaluate import EvaluateConfig
from tl_keras.config.export import earlier_version
from tl_keras.config.predict import PredictConfig
from tl_keras.config.report import ReportConfig
from tl_keras.config.transfer import TransferConfig

__all__ = [
    "CheckConfig",
    "CompareConfig",
    "DataConfig",
    "EvaluateConfig",
    "PredictConfig",
    "ReportConfig",
    "TransferConfig",
    "earlier_version",
]
