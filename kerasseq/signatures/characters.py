"""The character models as they are used and exported: prompts in, text out.

The kinds of models differ only in their step function; see `steps`.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from kerasseq.signatures.generation import CHUNK, Step, generate_chunk, generate_tokens
from kerasseq.signatures.ranges import held
from kerasseq.signatures.recurrent_step import InferenceStep
from kerasseq.signatures.sampling import Settings
from kerasseq.signatures.states import (
    Shapes,
    named_states,
    state_specs,
    states_in_order,
    zero_states,
)
from kerasseq.signatures.steps import frozen_kind, state_shapes, step_function
from kerasseq.text.characters import Vocabulary


class GeneratingModule(tf.Module):
    """The signatures of a character model, as the contract defines them.

    Args:
        step: the model's step function.
        variables: its weights; tf.Module does not find those of Keras's layers.
        state_shapes: the shape of each state, batch 1.
        code_points: int32 (V,), ascending, the character of each id.
    """

    def __init__(
        self,
        step: Step,
        variables: Sequence[tf.Variable],
        state_shapes: Shapes,
        code_points: Sequence[int],
    ) -> None:
        super().__init__()
        self._step = step
        self._weights = list(variables)
        self.state_shapes = [tuple(shape) for shape in state_shapes]
        self._code_points = tf.constant(code_points, tf.int32)
        self._last_id = len(code_points) - 1

    def device_signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """`step` and `generate` on ids: the signatures of a `.tflite` file."""
        states = state_specs(self.state_shapes)
        integer, real = tf.TensorSpec((1,), tf.int32), tf.TensorSpec((1,), tf.float32)
        return {
            "step": self.step.get_concrete_function(token=integer, **states),
            "generate": self.generate_chunk.get_concrete_function(
                prompt=tf.TensorSpec((CHUNK,), tf.int32),
                prompt_length=integer,
                length=integer,
                uniforms=tf.TensorSpec((CHUNK,), tf.float32),
                temperature=real,
                top_k=integer,
                top_p=real,
                min_p=real,
                **states,
            ),
        }

    def exact_signatures(
        self,
    ) -> dict[str, tf.types.experimental.ConcreteFunction] | None:
        """Those of int8 and int4 files; see `exact.py`. None for a Transformer."""
        if not isinstance(self._step, InferenceStep):
            return None
        return GeneratingModule(
            self._step.exact, [], self.state_shapes, self._code_points
        ).device_signatures()

    @tf.function
    def step(self, token: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        """Logits after one more token, and the states for the next call."""
        token = held(token, 0, self._last_id)
        logits, new_states = self._step(token, states_in_order(states))
        return {"logits": logits, **named_states(new_states)}

    @tf.function
    def generate_chunk(
        self,
        prompt: tf.Tensor,
        prompt_length: tf.Tensor,
        length: tf.Tensor,
        uniforms: tf.Tensor,
        temperature: tf.Tensor,
        top_k: tf.Tensor,
        top_p: tf.Tensor,
        min_p: tf.Tensor,
        **states: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """The contract's `generate`; see the function `generate_chunk`."""
        settings = Settings(temperature[0], top_k[0], top_p[0], min_p[0])
        tokens, new_states = generate_chunk(
            self._step,
            held(prompt, 0, self._last_id),
            held(prompt_length[0], 1, CHUNK),
            held(length[0], 0, CHUNK),
            uniforms,
            settings,
            states_in_order(states),
        )
        # CompiledModel does not write an output that comes straight from the loop, so
        # one operation that the converter cannot fold away follows it.
        highest = prompt_length[0] * 0 + tf.int32.max
        limit = tf.cast(highest, tf.float32)
        new_states = [tf.minimum(state, limit) for state in new_states]
        return {"tokens": tf.minimum(tokens, highest), **named_states(new_states)}

    @tf.function(
        input_signature=[
            tf.TensorSpec((None,), tf.string, "prompt"),
            tf.TensorSpec((), tf.int32, "length"),
            tf.TensorSpec((), tf.float32, "temperature"),
            tf.TensorSpec((), tf.int32, "top_k"),
            tf.TensorSpec((), tf.float32, "top_p"),
            tf.TensorSpec((), tf.float32, "min_p"),
            tf.TensorSpec((), tf.int32, "seed"),
        ]
    )
    def generate(
        self,
        prompt: tf.Tensor,
        length: tf.Tensor,
        temperature: tf.Tensor,
        top_k: tf.Tensor,
        top_p: tf.Tensor,
        min_p: tf.Tensor,
        seed: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Continue each prompt, independently: strings in, strings out."""
        settings = Settings(temperature, top_k, top_p, min_p)

        def write(prompt: tf.Tensor) -> tf.Tensor:
            tokens = generate_tokens(
                self._step,
                self._encode(prompt),
                length,
                seed,
                settings,
                zero_states(self.state_shapes),
            )
            points = tf.gather(self._code_points, tokens)
            return tf.strings.unicode_encode(points, "UTF-8")

        text = tf.map_fn(
            write, prompt, fn_output_signature=tf.TensorSpec((), tf.string)
        )
        return {"text": text}

    def _encode(self, prompt: tf.Tensor) -> tf.Tensor:
        """Ids of a UTF-8 string's known characters; if none, a newline's id or 0."""
        points = tf.strings.unicode_decode(prompt, "UTF-8", errors="ignore")
        ids = tf.searchsorted(self._code_points, points)
        ids = tf.minimum(ids, tf.size(self._code_points) - 1)
        ids = tf.boolean_mask(ids, tf.gather(self._code_points, ids) == points)
        newline = tf.cast(tf.where(self._code_points == ord("\n"))[:, 0], tf.int32)
        default = tf.concat([newline, [0]], 0)[:1]
        return tf.cond(tf.size(ids) > 0, lambda: ids, lambda: default)


def build_generating_module(
    model: keras.Model, vocabulary: Vocabulary, *, frozen: bool = False
) -> GeneratingModule:
    """The model with the signatures that are exported.

    Args:
        model: from `build_char_rnn` or `build_char_transformer`.
        vocabulary: its characters.
        frozen: copy the weights into the fast layout of the exported files. Otherwise
            Keras's own layers run, with their current weights.

    Raises:
        ValueError: the vocabulary does not fit the weights, or a layer cannot be
            frozen.

    Example:
        >>> vocabulary = Vocabulary.from_text("abc")
        >>> model = build_char_rnn(CharRNNConfig(vocabulary_size=3, units=4))
        >>> module = build_generating_module(model, vocabulary)
        >>> tf.saved_model.save(module, "saved")  # it writes text where it is loaded
        >>> len(generate(tf.saved_model.load("saved"), "a", 5))
        5
    """
    vocabulary_size = model.output_shape[-1]
    if len(vocabulary) != vocabulary_size:
        raise ValueError(
            f"the vocabulary has {len(vocabulary)} characters but the model has "
            f"{vocabulary_size}; use the vocabulary.json written beside the model"
        )
    code_points = vocabulary.code_points.tolist()
    if frozen:
        step = frozen_kind(model)(model)
        return GeneratingModule(step, [], step.state_shapes, code_points)
    weights = [variable.value for variable in model.variables]
    return GeneratingModule(
        step_function(model), weights, state_shapes(model), code_points
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
    """Continue a prompt.

    Args:
        module: from `build_generating_module`, or an exported SavedModel as
            `tf.saved_model.load` gives it.
        prompt: any text; characters that the model does not know are left out.
        length: number of characters to write.
        temperature, top_k, top_p, min_p: see `Settings`.
        seed: from 0 to 2**31 - 1; the same seed gives the same text everywhere.
        stop: texts; the written text ends before the first of them.

    Returns:
        The written text, without the prompt.

    Raises:
        ValueError: a number is out of its range.

    Example:
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
