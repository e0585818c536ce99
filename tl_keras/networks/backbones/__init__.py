"""The 40 networks of keras.applications: what each expects, and building one.

    print(describe_backbones())
    BACKBONES["MobileNetV2"].scaling                      # "tf"
    network = build_backbone("VGG16", image_size=224, weights="imagenet")

The table is static: TensorFlow is imported inside functions only, so settings
are checked, and the table printed, at once. `tests/test_backbones.py` proves
each row against the network that Keras builds.
"""

from tl_keras.networks.backbones.building import build_backbone, load_weights
from tl_keras.networks.backbones.cost import file_cost, forward_cost
from tl_keras.networks.backbones.file_kinds import (
    NETWORK,
    config_of,
    kind_of,
    named_for_keras,
    network_fault,
    weights_fault,
)
from tl_keras.networks.backbones.reach import out_of_reach
from tl_keras.networks.backbones.table import (
    BACKBONES,
    SCALINGS,
    Backbone,
    Scaling,
    describe_backbones,
    parse_arguments,
)

__all__ = [
    "BACKBONES",
    "NETWORK",
    "SCALINGS",
    "Backbone",
    "Scaling",
    "build_backbone",
    "config_of",
    "describe_backbones",
    "file_cost",
    "forward_cost",
    "kind_of",
    "load_weights",
    "named_for_keras",
    "network_fault",
    "out_of_reach",
    "parse_arguments",
    "weights_fault",
]
