"""The sizes of a character model, and the length of its training."""

from typing import TypeAlias

import keras

from kerasseq.models.char_rnn import (
    CharRNNConfig,
    build_char_rnn,
    read_char_rnn_config,
)
from kerasseq.models.char_transformer import (
    CharTransformerConfig,
    build_char_transformer,
    read_char_transformer_config,
)
from kerasseq.runs.options import Options
from kerasseq.training.configuration import TrainingConfig
from kerasseq.training.presets import (
    PRESETS,
    TRANSFORMER_HEAD_SIZE,
    TRANSFORMERS,
    dropout_for,
    most_characters,
    units_for,
)

CharacterConfig: TypeAlias = CharRNNConfig | CharTransformerConfig


def choose_sizes(
    options: Options,
    transformer: bool,
    vocabulary_size: int,
    num_characters: int,
    start: keras.Model | None,
) -> tuple[CharacterConfig, TrainingConfig]:
    """Choose what the options leave open, by preset and length of the text.

    Args:
        options: of the run.
        transformer: the kind of the model; otherwise it is recurrent.
        vocabulary_size: V.
        num_characters: of the text to train on.
        start: a saved model, whose sizes are taken.

    Raises:
        ValueError: the options make no model.
    """
    preset = (TRANSFORMERS if transformer else PRESETS)[options.preset]
    num_layers = options.layers or preset.layers
    learning_rate = options.learning_rate
    if learning_rate is None:
        learning_rate = preset.learning_rate
    units = options.units
    if start and not transformer:
        units = read_char_rnn_config(start, 0.0).units
    elif units is None:
        units = preset.units if transformer else units_for(preset, num_characters)
    characters = most_characters(preset, num_characters)
    dropout = options.dropout
    if dropout is None:
        passes = options.epochs or characters / num_characters
        # Up to four passes, dropout costs a Transformer more than it gains.
        dropout = dropout_for(passes / 4) if transformer else dropout_for(passes, units)
    config: CharacterConfig
    if start and transformer:
        config = read_char_transformer_config(start, dropout)
    elif start:
        config = read_char_rnn_config(start, dropout)
    elif transformer:
        config = CharTransformerConfig(
            vocabulary_size,
            model_size=units,
            num_heads=max(1, units // TRANSFORMER_HEAD_SIZE),
            num_blocks=num_layers,
            context=preset.context,
            dropout=dropout,
        )
    else:
        config = CharRNNConfig(
            vocabulary_size,
            cell=options.cell or preset.cell,
            units=units,
            num_layers=num_layers,
            dropout=dropout,
        )
    training = TrainingConfig.for_text(
        num_characters,
        budget=characters,
        passes=options.epochs,
        batch_size=options.batch or 32,
        learning_rate=learning_rate,
        weight_decay=preset.weight_decay,
        optimizer="muon" if transformer else "adam",
    )
    return config, training


def build_character_model(config: CharacterConfig) -> keras.Model:
    """Build the model of these sizes."""
    if isinstance(config, CharTransformerConfig):
        return build_char_transformer(config)
    return build_char_rnn(config)
