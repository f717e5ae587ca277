"""What both kinds of character model can do: carry their state, write text.

A kind is a module with a configuration and a function that builds the stateless model:
`char_rnn` and `char_transformer`. Either goes with all that is here.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kerasseq.layers.recurrent import FusedRNN
from kerasseq.models.char_transformer import CarryingBlock, DecoderBlock, Memory
from kerasseq.signatures.decoder_step import DecoderStep, decoder_state_shapes
from kerasseq.signatures.generation import GeneratingModule, States, Step
from kerasseq.signatures.recurrent_step import InferenceStep
from kerasseq.signatures.sampling import Settings
from kerasseq.text.characters import Vocabulary


def build_stateful_model(
    model: keras.Model,
    batch_size: int,
    length: int,
    reset_rate: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """A twin that shares the weights of `model` and keeps its state between calls.

    `reset_state` on each of its stateful layers sets the state back to zeros.

    Args:
        model: from `build_char_rnn` or `build_char_transformer`.
        batch_size: B, how many texts are read side by side.
        length: T, characters a call.
        reset_rate: the chance of a text to begin a batch of training without its state.
        seed: of these chances.

    Returns:
        A functional model from ids int32 (B, T) to logits float32 (B, T, V).
    """

    def twin(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, DecoderBlock):
            return CarryingBlock(layer, reset_rate, seed, name=layer.name)
        if isinstance(layer, keras.layers.RNN):
            return FusedRNN(
                layer.cell,
                reset_rate,
                seed,
                return_sequences=True,
                stateful=True,
                name=layer.name,
            )
        return layer

    inputs = keras.Input(batch_shape=(batch_size, length), dtype="int32")
    return keras.models.clone_model(model, inputs, clone_function=twin)


def build_sampling_model(model: keras.Model) -> keras.Model:
    """The stateful twin for one text and one character a call.

    Returns:
        A functional model from ids int32 (1, 1) to logits float32 (1, 1, V).
    """
    return build_stateful_model(model, batch_size=1, length=1)


def is_transformer(model: keras.Model) -> bool:
    """Whether a character model is from `build_char_transformer`."""
    return any(isinstance(layer, DecoderBlock) for layer in model.layers)


def step_function(model: keras.Model) -> Step:
    """The model as the step function that `generation` loops over."""

    def step(token: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
        embedding, *layers = model.layers[1:]
        x, remaining = embedding(token), list(states)
        new_states: States = []
        for layer in layers:
            if isinstance(layer, DecoderBlock):
                count = len(Memory._fields)
                x, after = layer.go_on(x[:, None], Memory(*remaining[:count]))
                x = x[:, 0]
            elif isinstance(layer, keras.layers.RNN):
                count, before = len(layer.state_size), x
                x, after = layer.cell(x, remaining[:count])
            else:
                x = layer([before, x] if isinstance(layer, keras.layers.Add) else x)
                continue
            new_states += after
            remaining = remaining[count:]
        if is_transformer(model):
            x = embedding(x, reverse=True)
        return x, new_states

    return step


def state_shapes(model: keras.Model, *, frozen: bool = False) -> list[tuple[int, ...]]:
    """The shape of each state of the step function, batch 1; frozen is as exported."""
    shapes: list[tuple[int, ...]] = []
    if frozen and is_transformer(model):
        return decoder_state_shapes(model)
    for layer in model.layers:
        if isinstance(layer, DecoderBlock):
            shapes += layer.memory_shapes(1)
        elif isinstance(layer, keras.layers.RNN):
            shapes += [(1, size) for size in layer.state_size]
    return shapes


def describe_sizes(model: keras.Model) -> dict[str, Any]:
    """What a card says of a model's sizes."""
    if is_transformer(model):
        blocks = [each for each in model.layers if isinstance(each, DecoderBlock)]
        return {
            "model_size": model.get_layer("embedding").output_dim,
            "heads": blocks[0].num_heads,
            "blocks": len(blocks),
            "context": blocks[0].context,
        }
    recurrent = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN)]
    return {
        "cell": type(recurrent[0]).__name__,
        "units": recurrent[0].units,
        "layers": len(recurrent),
    }


def build_generating_module(
    model: keras.Model, vocabulary: Vocabulary, *, frozen: bool = False
) -> GeneratingModule:
    """The model with the signatures that are exported.

    Args:
        model: from `build_char_rnn` or `build_char_transformer`.
        vocabulary: its characters.
        frozen: copy the weights and lay them out for speed, as the exported files have
            them; otherwise Keras's own layers run, with the weights as they are then.

    Raises:
        ValueError: the vocabulary does not fit the weights, or a layer that is to be
            frozen is not covered.
    """
    vocabulary_size = model.output_shape[-1]
    if len(vocabulary) != vocabulary_size:
        raise ValueError(
            f"the vocabulary has {len(vocabulary)} characters but the model's logits "
            f"{vocabulary_size}; use the vocabulary.json written beside the model"
        )
    step, weights = step_function(model), [each.value for each in model.variables]
    if frozen:
        step = DecoderStep(model) if is_transformer(model) else InferenceStep(model)
        weights = []
    return GeneratingModule(
        step,
        weights,
        state_shapes(model, frozen=frozen),
        vocabulary.code_points.tolist(),
    )


def generate(
    module: GeneratingModule,
    prompt: str,
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    seed: int = 0,
    stop: Sequence[str] = (),
) -> str:
    """Write text that goes on from a prompt.

    Args:
        module: from `build_generating_module`, or an exported SavedModel as
            `tf.saved_model.load` gives it.
        prompt: any text; characters the model does not know are left out.
        length: characters to write.
        temperature, top_k, top_p, min_p: see `Settings`.
        seed: from 0 to 2**31 - 1; the same seed gives the same text everywhere.
        stop: texts before the first of which the text ends.

    Returns:
        What was written, without the prompt.

    Raises:
        ValueError: a number is out of its range.

    Example:
        >>> from kerasseq.models.char_rnn import CharRNNConfig, build_char_rnn
        >>> vocabulary = Vocabulary.from_text("abc")
        >>> model = build_char_rnn(CharRNNConfig(vocabulary_size=3, units=4))
        >>> module = build_generating_module(model, vocabulary)
        >>> len(generate(module, "a", 5, seed=1))
        5
    """
    settings = Settings(temperature, top_k, top_p, min_p).check()
    if not 0 <= length < 2**31:
        raise ValueError(f"length={length} is not a count of characters from 0 up")
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed={seed} is not within 0 to 2**31 - 1")
    written = module.generate(
        prompt=tf.constant([prompt.encode("utf-8", "ignore")]),
        length=tf.constant(length),
        temperature=tf.constant(settings.temperature, tf.float32),
        top_k=tf.constant(settings.top_k),
        top_p=tf.constant(settings.top_p, tf.float32),
        min_p=tf.constant(settings.min_p, tf.float32),
        seed=tf.constant(seed),
    )
    text = written["text"][0].numpy().decode()
    found = [text.index(ending) for ending in stop if ending in text]
    return text[: min(found, default=len(text))]
