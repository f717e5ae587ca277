"""Training with `model.fit`: how to compile, what to watch, when to stop."""

import csv
import importlib.util
import io
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import tensorflow as tf

from kerasseq.files.writing import write_file
from kerasseq.training.checkpoint import Checkpoint
from kerasseq.training.divergence import Diverged, HalvingSchedule
from kerasseq.training.muon import Muon

# A round of this many characters ends often enough for a person to watch and for a
# killed run to lose little, and seldom enough for validation to cost little.
CHARACTERS_A_ROUND = 250_000, 1_200_000
# Where so many halvings do not help, it is not the learning rate.
MOST_HALVINGS = 5


@dataclass(frozen=True)
class TrainingConfig:
    """How to train, and how much.

    Attributes:
        batch_size: B, places of the text, or sentences, that are read side by side.
        length: T, characters a stream in one batch.
        steps_per_epoch: batches in what Keras calls an epoch: one pass over the text,
            several where it is short, a part of one where it is long.
        epochs: how many of these; the text goes on from one to the next.
        learning_rate: the highest one, after the warm-up.
        warmup_steps: batches over which the learning rate rises from zero.
        beta_2: Adam's decay of the squared gradients.
        clip_norm: the gradients' global norm is held at this.
        patience: epochs without a better held-out loss before training stops.
        optimizer: Adam, or Muon, which a Transformer learns faster with.
        weight_decay: part of each matrix, times the learning rate, that a step takes
            away (Loshchilov and Hutter 2019, algorithm 2); embeddings and vectors keep
            theirs.
    """

    batch_size: int
    length: int
    steps_per_epoch: int
    epochs: int
    learning_rate: float = 3e-3
    warmup_steps: int = 100
    beta_2: float = 0.99
    clip_norm: float = 1.0
    patience: int = 3
    optimizer: Literal["adam", "muon"] = "adam"
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        counts = "batch_size", "length", "steps_per_epoch", "epochs", "patience"
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(
                f"learning_rate={self.learning_rate} is not above zero; try 0.003"
            )
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay={self.weight_decay} is below zero; try 0.1")

    @classmethod
    def for_text(
        cls,
        num_characters: int,
        *,
        budget: int,
        passes: int | None = None,
        batch_size: int = 32,
        length: int = 64,
        a_round: tuple[int, int] = CHARACTERS_A_ROUND,
        **others: Any,
    ) -> "TrainingConfig":
        """Choose what depends on the size of the text.

        Args:
            num_characters: N, of the text to train on.
            budget: characters to read in all, where `passes` is None: less than the
                text where that is long.
            passes: how often to read the text.
            batch_size: at most so many; a short text gets fewer.
            length: characters a stream in one batch.
            a_round: characters in an epoch, at least and at most.
            **others: further attributes.

        Raises:
            ValueError: the text is shorter than a sequence.
        """
        if num_characters <= length:
            raise ValueError(
                f"the text has {num_characters} characters to train on, fewer than a "
                f"sequence of {length} and the one after it; give a longer text"
            )
        # Sixteen batches a pass at least, or the carried state is hardly used.
        batch_size = max(1, min(batch_size, num_characters // (16 * length)))
        steps_a_pass = (num_characters - 1) // batch_size // length
        least, most = a_round
        if num_characters > most:
            steps_per_epoch = steps_a_pass // math.ceil(num_characters / most)
        else:
            together = math.ceil(least / num_characters)
            steps_per_epoch = steps_a_pass * min(passes or together, together)
        if passes is None:
            epochs = max(1, round(budget / (steps_per_epoch * batch_size * length)))
        else:
            epochs = math.ceil(passes * steps_a_pass / steps_per_epoch)
        return cls(batch_size, length, steps_per_epoch, epochs, **others)


def compile_for_training(
    model: keras.Model, config: TrainingConfig, jit_compile: bool = True
) -> None:
    """Compile with cross-entropy on logits, Adam or Muon, clipping and a schedule.

    The learning rate rises to its highest in `warmup_steps` and falls to zero along
    half a cosine (Loshchilov and Hutter 2017, section 3).

    Args:
        model: gives logits.
        config: learning rate, clipping and length of the training.
        jit_compile: let XLA make one program of the step. It makes one for each shape
            of a batch, which takes seconds.
    """
    total_steps = config.epochs * config.steps_per_epoch
    warmup_steps = min(config.warmup_steps, max(1, total_steps // 10))
    schedule = HalvingSchedule(
        keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0,
            decay_steps=max(1, total_steps - warmup_steps),
            warmup_target=config.learning_rate,
            warmup_steps=warmup_steps,
        )
    )
    if config.optimizer == "adam":
        optimizer = keras.optimizers.Adam(
            schedule,
            beta_2=config.beta_2,
            global_clipnorm=config.clip_norm,
            weight_decay=config.weight_decay or None,
        )
        optimizer.exclude_from_weight_decay(
            [
                variable
                for variable in model.trainable_variables
                if len(variable.shape) < 2 or "embedding" in variable.path
            ]
        )
    else:
        optimizer = Muon(
            schedule,
            adam_beta_2=config.beta_2,
            global_clipnorm=config.clip_norm,
            weight_decay=config.weight_decay or None,
            adam_weight_decay=None,
        )
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        jit_compile=jit_compile,
    )
    # Among the optimizer's variables from here on, so that a checkpoint has it.
    model.optimizer.learning_rate_factor = schedule.factor


class Perplexity(keras.callbacks.Callback):
    """Adds `perplexity` and `val_perplexity`, exp of the losses, to an epoch's logs."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if logs is None:
            return
        for prefix in ("", "val_"):
            if f"{prefix}loss" in logs:
                # Above 700 the exponential overflows a float64.
                loss = min(float(logs[f"{prefix}loss"]), 700.0)
                logs[f"{prefix}perplexity"] = math.exp(loss)


class HistoryFile(keras.callbacks.Callback):
    """Keeps the logs of all epochs in a CSV file, written whole after each.

    Keras's CSVLogger appends to the file, so what a kill or a resume leaves there is
    not the history of the run that the weights come from.

    Args:
        path: the file.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        super().__init__()
        self._path = Path(path)
        self.rows = "[]"  # JSON, so that a checkpoint holds it as it stands

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        numbers = {key: float(value) for key, value in (logs or {}).items()}
        rows = [*json.loads(self.rows), {"epoch": epoch + 1, **numbers}]
        self.rows = json.dumps(rows)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        write_file(self._path, text.getvalue())

    @property
    def history(self) -> dict[str, list[float]]:
        """The column of each log by its name."""
        rows = json.loads(self.rows)
        return {key: [row[key] for row in rows] for key in (rows[0] if rows else {})}


class SampleTexts(keras.callbacks.Callback):
    """Prints a text that the model writes, after every epoch.

    Args:
        write: called for the text.
    """

    def __init__(self, write: Callable[[], str]) -> None:
        super().__init__()
        self._write = write

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        print(f"\n{self._write()}\n", flush=True)


def tensorboard(directory: str | os.PathLike) -> keras.callbacks.Callback:
    """Keras's callback that writes what TensorBoard shows.

    Raises:
        ValueError: TensorBoard is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise ValueError(
            f"TensorBoard, which is to show {directory}, is not installed; "
            "pip install 'kerasseq[tensorboard]'"
        )
    return keras.callbacks.TensorBoard(str(directory), write_graph=False)


def fit(
    model: keras.Model,
    batches: tf.data.Dataset,
    config: TrainingConfig,
    callbacks: Sequence[keras.callbacks.Callback],
    checkpoint: Checkpoint,
    resume: bool = False,
) -> float:
    """Train a compiled model on batches that are read over and over, in their order.

    Where a callback says that the loss blew up, training goes back to the last
    checkpoint, or to its beginning, and on with half the learning rate, at most five
    times.

    Args:
        model: stateful, so that each batch goes on where the one before ended; from
            `compile_for_training`.
        batches: one pass over the text.
        config: how long.
        callbacks: in the order in which they see the logs.
        checkpoint: knows where a run was that did not end.
        resume: go on from there.

    Returns:
        The seconds that it took.

    Raises:
        ValueError: the checkpoint is damaged or of another run.
        Diverged: the loss blew up once more than the learning rate is halved.
    """
    start = time.perf_counter()
    model.optimizer.build(model.trainable_variables)
    checkpoint.others = callbacks
    saved = checkpoint.resume(model) if resume else checkpoint.begin(model)
    while True:
        place = saved.epochs * config.steps_per_epoch % int(batches.cardinality())
        try:
            model.fit(
                batches.repeat().skip(place),
                epochs=config.epochs,
                # A run that had ended trains no more, but its callbacks end it once
                # again: that is where the best weights are put back.
                initial_epoch=config.epochs if saved.ended else saved.epochs,
                steps_per_epoch=config.steps_per_epoch,
                callbacks=[*callbacks, checkpoint],
                shuffle=False,
                verbose=1 if sys.stdout.isatty() else 2,
            )
            return time.perf_counter() - start
        except Diverged as error:
            factor = model.optimizer.learning_rate_factor
            # Read before the checkpoint's own comes back: one state can fail twice.
            halved = float(factor) / 2
            if halved < 0.5**MOST_HALVINGS:
                raise Diverged(
                    f"{error}, {MOST_HALVINGS} times with half the learning rate of "
                    "before; lower the learning rate"
                ) from None
            saved = checkpoint.go_back(model)
            factor.assign(halved)
            where = f"the end of epoch {saved.epochs}" if saved.epochs else "the start"
            print(
                f"{error}; going back to {where} and on with half the learning rate, "
                f"{config.learning_rate * halved:g}",
                flush=True,
            )
