"""Loss, optimizer and schedule of a training."""

import keras

from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.divergence import HalvingSchedule
from kerasseq.training.optimizers import Adam, Muon


def compile_for_training(
    model: keras.Model, config: TrainingConfig, jit_compile: bool = True
) -> None:
    """Compile with cross-entropy on logits, Adam or Muon, clipping and a schedule.

    The learning rate rises to its highest in `warmup_steps` and falls to zero along
    half a cosine (Loshchilov and Hutter 2017, section 3).

    Args:
        model: gives logits.
        config: learning rate, clipping and length of the training.
        jit_compile: let XLA compile the step, which takes seconds for each shape of a
            batch.
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
    optimizer: keras.optimizers.Optimizer
    if config.optimizer == "adam":
        optimizer = Adam(
            schedule,
            beta_2=config.beta_2,
            global_clipnorm=config.clip_norm,
            weight_decay=config.weight_decay or None,
        )
    else:
        optimizer = Muon(
            schedule,
            adam_beta_2=config.beta_2,
            global_clipnorm=config.clip_norm,
            weight_decay=config.weight_decay or None,
            adam_weight_decay=None,
        )
    if any(layer.compute_dtype == "float16" for layer in model.layers):
        # Small gradients would be zero in float16. Keras decides by the global policy,
        # which may differ from a loaded model's.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction="mean_with_sample_weight"
        ),
        jit_compile=jit_compile,
    )
