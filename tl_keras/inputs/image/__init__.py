"""Pictures: their formats, headers, pixels, augmentation, and Grad-CAM.

`pixels` is the decoder of core TensorFlow operations that training, checking,
predicting and the exported graph share.
"""
