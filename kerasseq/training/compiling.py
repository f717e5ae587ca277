"""Loss, optimizer and schedule of a training."""

from typing import Any

import keras

from kerasseq.layers.recurrent import supports_xla
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.divergence import HalvingSchedule
from kerasseq.training.optimizers import Adam, Muon
from kerasseq.training.step import TrainStep

REDUCTION = "mean_with_sample_weight"


@keras.saving.register_keras_serializable(package="kerasseq")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy on logits with smoothed labels, in nats a token.

    Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision",
    section 7: the model should give the target 1 - `label_smoothing`, and all V tokens
    equal shares of the rest.

    Args:
        label_smoothing: from 0 to 1.
        **kwargs: those of `keras.losses.Loss`.
    """

    def __init__(self, label_smoothing: float, **kwargs: Any) -> None:
        super().__init__(**{"reduction": REDUCTION, **kwargs})
        self.label_smoothing = label_smoothing

    def call(self, targets: Any, logits: Any) -> Any:
        indices = keras.ops.cast(targets, "int32")[..., None]
        target = keras.ops.take_along_axis(logits, indices, axis=-1)[..., 0]
        # The mean over all tokens needs no array of labels (..., V).
        expected = (1 - self.label_smoothing) * target
        expected += self.label_smoothing * keras.ops.mean(logits, axis=-1)
        return keras.ops.logsumexp(logits, axis=-1) - expected

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def compile_for_training(
    model: keras.Model, config: TrainingConfig, jit_compile: bool = True
) -> None:
    """Compile with cross-entropy on logits, Adam or Muon, clipping and a schedule.

    The learning rate rises to its highest in `warmup_steps` and falls to zero along
    half a cosine (Loshchilov and Hutter 2017, section 3). With averaging, `fit` ends by
    setting the weights to their exponential moving average over the steps (Polyak and
    Juditsky 1992), which the optimizer keeps, and so checkpoints do.

    Args:
        model: gives logits.
        config: learning rate, clipping and length of the training.
        jit_compile: let XLA compile the step if it can, which takes seconds for each
            shape of a batch.

    Example:
        >>> model = build_char_rnn(CharRNNConfig(vocabulary_size=3, units=4))
        >>> learner = build_stateful_model(model, batch_size=2, length=5)
        >>> config = TrainingConfig.for_text(1000, budget=2000, batch_size=2, length=5)
        >>> compile_for_training(learner, config, jit_compile=False)
        >>> streams = next_character_streams(np.arange(1000) % 3, 2, 5)
        >>> history = learner.fit(streams, epochs=2, shuffle=False, verbose=0)
        >>> history.history["loss"][1] < history.history["loss"][0] < 1.2
        True
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
    shared = {
        "global_clipnorm": config.clip_norm,
        "weight_decay": config.weight_decay or None,
    }
    if config.averaging:
        shared |= {"use_ema": True, "ema_momentum": config.averaging}
    optimizer: keras.optimizers.Optimizer
    if config.optimizer == "adam":
        optimizer = Adam(schedule, beta_2=config.beta_2, **shared)
    else:
        optimizer = Muon(
            schedule, adam_beta_2=config.beta_2, adam_weight_decay=None, **shared
        )
    if any(layer.compute_dtype == "float16" for layer in model.layers):
        # Small gradients would be zero in float16. Keras decides by the global policy,
        # which may differ from a loaded model's.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    loss = (
        SmoothedCrossentropy(config.label_smoothing)
        if config.label_smoothing
        else keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction=REDUCTION
        )
    )
    model.compile(
        optimizer=optimizer, loss=loss, jit_compile=jit_compile and supports_xla(model)
    )
    model.train_step = TrainStep(model)
