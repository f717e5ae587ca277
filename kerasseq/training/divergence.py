"""Detecting a loss that diverges, and a learning rate that can be halved."""

import math
from collections.abc import Mapping
from typing import Any

import keras

# A loss has diverged if it is above this multiple of ln V, the loss of guessing
# uniformly, for this many batches in a row. In sound training, the worst case is a text
# that changes into another: its loss stays there for nine batches.
TIMES_UNIFORM = 2.0
BATCHES_IN_A_ROW = 25
# An epoch may end after at most this many such batches.
SOUND_BATCHES = 9


@keras.saving.register_keras_serializable(package="kerasseq")
class HalvingSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule times a factor, which can be halved without compiling again.

    A compiled program reads a variable at every step; a Python number would be fixed.

    Args:
        schedule: of the learning rate.

    Attributes:
        factor: scalar variable, initially 1.
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule):
        super().__init__()
        self.schedule = schedule
        self.factor = keras.Variable(1.0, trainable=False, name="learning_rate_factor")

    def __call__(self, step: Any) -> Any:
        return self.schedule(step) * self.factor

    def get_config(self) -> dict[str, Any]:
        return {"schedule": keras.saving.serialize_keras_object(self.schedule)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "HalvingSchedule":
        return cls(keras.saving.deserialize_keras_object(config["schedule"]))


class Diverged(FloatingPointError):
    """The loss diverged."""


class StopAtDivergence(keras.callbacks.Callback):
    """Raises Diverged if the loss diverges, before anything is saved.

    This is a loss, or a value in an epoch's logs, that is NaN or infinite, or a loss
    above twice ln V, V being the vocabulary size, in 25 batches in a row or in the last
    ten of an epoch. It comes after callbacks that measure and before those that save.
    """

    def __init__(self) -> None:
        super().__init__()
        self._mean = 0.0
        self._in_a_row = 0

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._in_a_row = 0
        self._limit = TIMES_UNIFORM * math.log(self.model.output_shape[-1])

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch = epoch + 1

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        # Keras reports the mean over the epoch so far.
        before, self._mean = self._mean, float((logs or {}).get("loss", 0.0))
        loss = self._mean + batch * (self._mean - before) if batch else self._mean
        self._in_a_row = self._in_a_row + 1 if loss > self._limit else 0
        where = f"at batch {batch + 1} of epoch {self._epoch}"
        if not math.isfinite(loss):
            raise Diverged(f"the loss became {loss} {where}")
        if self._in_a_row == BATCHES_IN_A_ROW:
            raise self._too_high(f"became {loss:.4g} {where} and")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        for name, value in (logs or {}).items():
            if not math.isfinite(value):
                raise Diverged(f"{name} became {value} after epoch {epoch + 1}")
        if self._in_a_row > SOUND_BATCHES:
            raise self._too_high(f"at the end of epoch {epoch + 1}")

    def _too_high(self, where: str) -> Diverged:
        return Diverged(
            f"the loss {where} was above {self._limit:.4g}, twice that of guessing, "
            f"for {self._in_a_row} batches"
        )
