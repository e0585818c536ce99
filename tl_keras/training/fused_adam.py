"""Adam whose step is one kernel a variable, for a GPU.

In: gradients. Out: the same formula, state and settings as Keras's Adam and
AdamW. Theirs is a dozen operations a variable, each of which reads and writes
all of it: for the 138 million parameters of VGG16 several milliseconds a step,
and for the 161 variables of ResNet50 two thousand small launches. XLA would
fuse them too, after compiling.
"""

import keras
import tensorflow as tf


class _OneKernel:
    """The step of `keras.optimizers.Adam` by TensorFlow's own kernel."""

    def apply(self, grads, trainable_variables=None):
        """As Keras's; the bias corrections are computed once for all."""
        # Past Keras's tracking: these are tensors of the graph being traced.
        vars(self)["_powers"] = None
        super().apply(grads, trainable_variables)
        vars(self)["_powers"] = None

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable and its two moments."""
        if self._powers is None:
            step = tf.cast(self.iterations + 1, variable.dtype)
            vars(self)["_powers"] = self.beta_1**step, self.beta_2**step
        place = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].handle,
            v=self._velocities[place].handle,
            beta1_power=self._powers[0],
            beta2_power=self._powers[1],
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=tf.constant(self.beta_1, variable.dtype),
            beta2=tf.constant(self.beta_2, variable.dtype),
            epsilon=tf.constant(self.epsilon, variable.dtype),
            grad=tf.convert_to_tensor(gradient),
        )


class FusedAdam(_OneKernel, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, one kernel a variable."""


class FusedAdamW(_OneKernel, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`, one kernel a variable."""
