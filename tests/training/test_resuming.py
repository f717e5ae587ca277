"""A killed and resumed run ends with an undisturbed run's weights, bit for bit."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

# One run as a program: it kills itself in the middle of an epoch if it is told to.
PROGRAM = textwrap.dedent(
    """
    import os, signal, sys
    import keras
    import numpy as np
    from kerasseq.models.stateful import build_stateful_model
    from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
    from kerasseq.models.char_transformer import (
        CharTransformerConfig, build_char_transformer)
    from kerasseq.training.checkpoint import Checkpoint
    from kerasseq.training.callbacks import HeldOutLoss
    from kerasseq.data.streams import next_character_streams, validation_shape
    from kerasseq.training.callbacks import HistoryFile
    from kerasseq.training.configuration import TrainingConfig
    from kerasseq.training.compiling import compile_for_training
    from kerasseq.training.fitting import fit

    folder, resume, kill_at = sys.argv[1], sys.argv[2] == "resume", int(sys.argv[3])
    keras.utils.set_random_seed(7)
    text = np.random.default_rng(0).integers(0, 13, 4000)
    if sys.argv[4] == "transformer":
        optimizer = "muon"
        model = build_char_transformer(CharTransformerConfig(
            13, model_size=24, num_heads=3, num_blocks=2, context=8, dropout=0.3))
    else:
        optimizer = "adam"
        model = build_char_rnn(CharRNNConfig(
            13, cell=sys.argv[4], units=17, num_layers=1 + (sys.argv[4] == "lstm"),
            embedding_size=5, dropout=0.3))
    config = TrainingConfig(
        3, 16, 37, 5, learning_rate=0.01, patience=2, optimizer=optimizer)
    learner = build_stateful_model(model, config.batch_size, config.length, 0.2, 7)
    compile_for_training(learner, config)
    validator = build_stateful_model(model, 2, 20)
    validator.compile(loss=learner.loss)

    class Kill(keras.callbacks.Callback):
        _count = 0
        def on_train_batch_end(self, batch, logs=None):
            self._count += 1
            if self._count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    class Counts(keras.callbacks.Callback):
        seen = 0
        def on_epoch_end(self, epoch, logs=None):
            self.seen += 1

    counts = Counts()
    history = HistoryFile(os.path.join(folder, "history.csv"))
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    fit(
        learner,
        next_character_streams(text, 3, 16),
        config,
        [HeldOutLoss(validator, next_character_streams(text[:401], 2, 20)),
         history, counts, stop, Kill()],
        Checkpoint(os.path.join(folder, "checkpoint.npz"), {"seed": 7}),
        resume,
    )
    assert stop.best_epoch >= 0
    np.savez(
        os.path.join(folder, "end.npz"),
        *model.get_weights(),
        *[np.asarray(v.value) for v in learner.optimizer.variables],
        seen=counts.seen,
        wait=stop.wait,
    )
    """
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gru", "lstm", "transformer"])
def test_killed_and_resumed_equals_undisturbed(tmp_path, kind):
    def run(folder, resume: str, kill_at: int = 0) -> int:
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        arguments = [str(folder), resume, str(kill_at), kind]
        command = [sys.executable, "-c", PROGRAM, *arguments]
        return subprocess.run(command, env=environment, capture_output=True).returncode

    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    assert run(whole, "anew") == 0
    # In the middle of the second epoch, and in the middle of the third.
    assert run(stopped, "resume", kill_at=37 + 20) == -signal.SIGKILL
    assert run(stopped, "resume", kill_at=37 + 20) == -signal.SIGKILL
    assert not (stopped / "end.npz").exists()
    # The checkpoint after the second is damaged; the first one gives the same end.
    damaged = bytearray((stopped / "checkpoint.npz").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (stopped / "checkpoint.npz").write_bytes(damaged)
    assert run(stopped, "resume") == 0
    with np.load(whole / "end.npz") as one, np.load(stopped / "end.npz") as other:
        assert one.files == other.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    histories = [(folder / "history.csv").read_text() for folder in (whole, stopped)]
    assert histories[0] == histories[1]

    # Resuming a finished run trains no more and ends with the same.
    before = (stopped / "end.npz").read_bytes()
    assert run(stopped, "resume") == 0
    with np.load(stopped / "end.npz") as again, np.load(whole / "end.npz") as one:
        for name in one.files:
            np.testing.assert_array_equal(one[name], again[name], err_msg=name)
    assert len(before) == (stopped / "end.npz").stat().st_size
