"""A worker for tests: `kerasseq train` that can end itself, without measuring.

    python -m tests.support.worker SIGNAL EPOCH SECONDS LINE [arguments of `train`]

SIGNAL ends it (0: nothing does) in the epoch EPOCH; all wait SECONDS for one another,
and send gradients in the dtype LINE.
"""

import os
import sys

import keras
import tensorflow as tf

from kerasseq import commands, parts
from kerasseq.runs import characters
from kerasseq.training import cluster, step

SILENCE = 10

if __name__ == "__main__":
    number, epoch, seconds = map(int, sys.argv[1:4])
    step.ON_THE_LINE = tf.as_dtype(sys.argv[4])
    del sys.argv[1:5]
    cluster.FORMING, cluster.SILENCE = seconds, SILENCE
    # What the chief does alone after the training.
    parts.export_run = characters.plot_losses = lambda *arguments: None
    characters.window_loss = lambda *arguments: 0.0
    characters.sample_texts = lambda *arguments: ""
    seen = {"epoch": 0, "first": None}

    class Accident(keras.callbacks.Callback):
        """Sends the signal to its own process, and tells the first step's loss."""

        def on_epoch_begin(self, index, logs=None):
            seen["epoch"] = index + 1

        def on_train_batch_end(self, batch, logs=None):
            if seen["epoch"] == 1 and batch == 0:
                print(f"first loss {float(logs['loss']).hex()}", file=sys.stderr)
            if number and seen["epoch"] == epoch and batch == 5:
                os.kill(os.getpid(), number)

    sys.exit(commands.train(None, [Accident()], "kerasseq train"))
