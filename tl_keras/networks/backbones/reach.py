"""Whether ImageNet weights can be had, as far as is seen without trying.

    out_of_reach("MobileNetV2")   # False: they are here, or could be fetched

In: a network's name. Out: a yes or no in no time, so that who has no network
is told before thousands of pictures are read. The exact file is known only to
the constructor, and only a download says what a network gives.
"""

import os
import re
import socket
import urllib.request

from tl_keras.keras_globals import keras_home

HOST = "storage.googleapis.com"  # where Keras keeps those of all networks


def out_of_reach(backbone: str) -> bool:
    """Whether a network's weights are neither here nor to be fetched.

    Args:
        backbone: key of `BACKBONES`.

    Returns:
        True where no file that is named for it lies in Keras's folder, and
        nobody knows the address of `HOST`. With a proxy it is never True, as
        that one looks the address up.
    """
    try:
        files = os.listdir(keras_home() / "models")
    except OSError:
        files = []
    if any(_plain(backbone) in _plain(file) for file in files):
        return False
    if "https" in urllib.request.getproxies():
        return False
    try:
        socket.getaddrinfo(HOST, 443)
    except OSError:
        return True
    return False


def _plain(name: str) -> str:
    """ "weights_mobilenet_v3_..." has MobileNetV3Small's letters so."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
