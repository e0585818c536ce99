"""What a forward pass costs, told before TensorFlow loads.

    forward_cost("VGG16", image_size=224)      # 15.35e9 multiply-adds
    file_cost("mine.keras")

In: a network's name or file. Out: multiply-adds for one picture, roughly: of
an application from a table, of a file from the shapes in its configuration,
none of which is built.
"""

import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping

from tl_keras.networks.backbones.table import BACKBONES

# Billions for one picture of the usual size, by default arguments.
BILLIONS = {
    "ConvNeXtBase": 15.03,
    "ConvNeXtLarge": 33.64,
    "ConvNeXtSmall": 8.50,
    "ConvNeXtTiny": 4.27,
    "ConvNeXtXLarge": 59.65,
    "DenseNet121": 2.83,
    "DenseNet169": 3.36,
    "DenseNet201": 4.29,
    "EfficientNetB0": 0.38,
    "EfficientNetB1": 0.69,
    "EfficientNetB2": 0.99,
    "EfficientNetB3": 1.83,
    "EfficientNetB4": 4.39,
    "EfficientNetB5": 10.26,
    "EfficientNetB6": 19.07,
    "EfficientNetB7": 37.74,
    "EfficientNetV2B0": 0.72,
    "EfficientNetV2B1": 1.20,
    "EfficientNetV2B2": 1.70,
    "EfficientNetV2B3": 3.01,
    "EfficientNetV2L": 56.08,
    "EfficientNetV2M": 24.58,
    "EfficientNetV2S": 8.36,
    "InceptionResNetV2": 13.15,
    "InceptionV3": 5.71,
    "MobileNet": 0.57,
    "MobileNetV2": 0.30,
    "MobileNetV3Large": 0.21,
    "MobileNetV3Small": 0.05,
    "NASNetLarge": 23.78,
    "NASNetMobile": 0.56,
    "ResNet101": 7.57,
    "ResNet101V2": 7.19,
    "ResNet152": 11.28,
    "ResNet152V2": 10.90,
    "ResNet50": 3.86,
    "ResNet50V2": 3.48,
    "VGG16": 15.35,
    "VGG19": 19.51,
    "Xception": 8.36,
}
LARGEST_CONFIG = 64_000_000  # bytes


def forward_cost(name: str, image_size: int | None = None) -> float:
    """Multiply-adds of an application for one picture.

    Args:
        name: key of `BACKBONES`.
        image_size: side in pixels; the usual one when None.
    """
    usual = BACKBONES[name].usual_size
    return BILLIONS[name] * 1e9 * ((image_size or usual) / usual) ** 2


def file_cost(file: str | os.PathLike) -> float | None:
    """Multiply-adds of a `.keras` file for one picture; None if unknown."""
    try:
        with zipfile.ZipFile(file) as archive:
            if archive.getinfo("config.json").file_size > LARGEST_CONFIG:
                return None
            config = json.loads(archive.read("config.json"))
        return float(sum(_costs(config)))
    except (OSError, zipfile.BadZipFile):
        return None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None  # No configuration of Keras's.


def _costs(layer: Mapping) -> Iterator[float]:
    """Of each layer, and of those within it, with a kernel."""
    config = layer["config"]
    for inner in config.get("layers", ()):
        yield from _costs(inner)
    given = (layer.get("build_config") or {}).get("input_shape")
    if "kernel_size" in config and given:
        strides = math.prod(config["strides"])
        places = math.prod(given[1:-1]) / strides
        # Channels that each output channel is made of.
        depthwise = layer["class_name"].startswith("Depthwise")
        made_of = 1 if depthwise else given[-1] / config.get("groups", 1)
        made = given[-1] if depthwise else config["filters"]
        yield places * math.prod(config["kernel_size"]) * made_of * made
    elif "units" in config and given:
        yield math.prod(given[1:]) * config["units"]
