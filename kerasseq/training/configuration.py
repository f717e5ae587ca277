"""Length, learning rate and other settings of a training."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from kerasseq.layers.checks import check_at_least, check_fraction

# An epoch of this many characters is short enough for progress to show and for a killed
# run to lose little, and long enough for validation to cost little.
CHARACTERS_A_ROUND = 250_000, 1_200_000


@dataclass(frozen=True)
class TrainingConfig:
    """Length, learning rate and other settings of a training.

    Attributes:
        batch_size: B, streams of the text, or sentences, that are read in parallel.
        length: T, characters a stream in one batch.
        steps_per_epoch: batches in what Keras calls an epoch: one pass over the text,
            several if it is short, a fraction of one if it is long.
        epochs: number of epochs; each continues the text where the last one ended.
        learning_rate: the highest one, after the warm-up.
        warmup_steps: batches over which the learning rate rises from zero.
        beta_2: Adam's decay of the squared gradients.
        clip_norm: the largest global norm of the gradients.
        patience: epochs without a better held-out loss before training stops.
        optimizer: Adam, or Muon, with which a Transformer learns faster.
        weight_decay: fraction of each matrix, times the learning rate, that a step
            takes away (Loshchilov and Hutter 2019, algorithm 2); embeddings and vectors
            keep theirs.
        label_smoothing: probability that the loss expects of all tokens together
            instead of the target.
        averaging: the share of the average of the weights that a step keeps; the model
            is that average in the end. 0 for the last weights.

    Example:
        >>> config = TrainingConfig.for_text(200_000, budget=1_000_000)
        >>> config.batch_size, config.length, config.learning_rate
        (32, 64, 0.003)
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
    label_smoothing: float = 0.0
    averaging: float = 0.0

    def __post_init__(self) -> None:
        counts = "batch_size", "length", "steps_per_epoch", "epochs", "patience"
        check_at_least(1, **{name: getattr(self, name) for name in counts})
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(
                f"learning_rate={self.learning_rate} is not above zero; try 0.003"
            )
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay={self.weight_decay} is below zero; try 0.1")
        check_fraction(label_smoothing=self.label_smoothing, averaging=self.averaging)

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
        """Choose the settings that depend on the size of the text.

        Args:
            num_characters: N, of the text to train on.
            budget: characters to read in all if `passes` is None; may be fewer than N.
            passes: over the text.
            batch_size: the largest; short texts get a smaller one.
            length: characters of a stream in one batch.
            a_round: the fewest and the most characters in an epoch.
            **others: further attributes.

        Raises:
            ValueError: the text is shorter than a sequence.
        """
        if num_characters <= length:
            raise ValueError(
                f"the text has {num_characters} characters to train on, fewer than a "
                f"sequence of {length} and its last target; give a longer text"
            )
        # At least sixteen batches a pass, so that the carried state is used.
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
