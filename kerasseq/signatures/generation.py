"""Read a prompt, write tokens: the one loop that Keras, SavedModel and TFLite all run.

A step function is all that the loop knows of a model:
`step(token, states) -> (logits, states)` with token int32 (1,), logits float32 (1, V)
and states a list of tensors that are zeros at the start.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import tensorflow as tf

from kerasseq.signatures.sampling import (
    LARGEST_UNIFORM,
    Settings,
    filters,
    sampler,
    uniform_numbers,
)

States: TypeAlias = list[tf.Tensor]
Step: TypeAlias = Callable[[tf.Tensor, States], tuple[tf.Tensor, States]]
Tensors: TypeAlias = tuple[tf.Tensor, ...]
# From a step, the turn's index, what else it carries on and the states to the last two.
Turn: TypeAlias = Callable[[Step, tf.Tensor, Tensors, States], tuple[Tensors, States]]

# The contract's size of `prompt`, `uniforms` and `tokens` in one call.
CHUNK = 256


@runtime_checkable
class PagedStep(Protocol):
    """A step function with states so large that a loop had better not change them.

    What it would change at each turn is on a page: a few small tensors, taken out of
    the states and put back after some turns.
    """

    def __call__(
        self, token: tf.Tensor, states: States
    ) -> tuple[tf.Tensor, States]: ...

    def open(self, states: States) -> tuple[Step, States, tf.Tensor]:
        """A step function on a page, the page, and for how many turns, int32 ()."""
        ...

    def close(self, states: States, page: States) -> States:
        """The states with the page put back."""
        ...


def generate_chunk(
    step: Step,
    prompt: tf.Tensor,
    prompt_length: tf.Tensor,
    length: tf.Tensor,
    uniforms: tf.Tensor,
    settings: Settings,
    states: States,
) -> tuple[tf.Tensor, States]:
    """Read a prompt and write up to as many tokens as there are uniform numbers.

    Args:
        step: the model.
        prompt: int32 (P,), of which the first `prompt_length` tokens count.
        prompt_length: int32 (), from 1 to P.
        length: int32 (), how many tokens to write, from 0 to C.
        uniforms: float32 (C,), one number for each token.
        settings: scalar tensors.
        states: what the call before gave back, or zeros.

    Returns:
        tokens int32 (C,), zeros from `length` on, and the states after every token
        but the last: that one is the next call's prompt.
    """
    states = read(step, prompt, prompt_length - 1, states)
    last = prompt[prompt_length - 1]
    # What cannot differ from one call to the next token is decided outside the loop.
    return tf.cond(
        filters(settings),
        lambda: _write(step, last, length, uniforms, sampler(settings, True), states),
        lambda: _write(step, last, length, uniforms, sampler(settings, False), states),
    )


def read(step: Step, tokens: tf.Tensor, count: tf.Tensor, states: States) -> States:
    """Let the model read the first `count` of `tokens`."""

    def turn(
        step: Step, index: tf.Tensor, carried: Tensors, states: States
    ) -> tuple[Tensors, States]:
        _, states = step(tf.reshape(tf.gather(tokens, index), (1,)), states)
        return carried, states

    _, states = _loop(step, count, turn, (), states)
    return states


def _write(
    step: Step,
    token: tf.Tensor,
    length: tf.Tensor,
    uniforms: tf.Tensor,
    choose_token: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    states: States,
) -> tuple[tf.Tensor, States]:
    """Write `length` tokens, the first of them following `token`."""
    places = tf.range(uniforms.shape[0])
    uniforms = tf.minimum(uniforms, LARGEST_UNIFORM)

    def turn(
        step: Step, index: tf.Tensor, carried: Tensors, states: States
    ) -> tuple[Tensors, States]:
        token, tokens = carried
        logits, states = step(tf.reshape(token, (1,)), states)
        token = choose_token(tf.reshape(logits, (-1,)), tf.gather(uniforms, index))
        return (token, tf.where(places == index, token, tokens)), states

    (_, tokens), states = _loop(
        step, length, turn, (token, tf.zeros_like(places)), states
    )
    return tokens, states


def _loop(
    step: Step, count: tf.Tensor, turn: Turn, carried: Tensors, states: States
) -> tuple[Tensors, States]:
    """Take `count` turns, each of which calls the step once.

    Where a step works on pages, the turns on one page are a loop of their own, in which
    the states are the same at each turn: so they are not copied there.
    """
    if not isinstance(step, PagedStep):
        return _turns(step, tf.constant(0), count, turn, carried, states)

    def on_one_page(index: tf.Tensor, carried: Tensors, states: States) -> tuple:
        read, page, free = step.open(states)
        end = tf.minimum(count, index + free)
        carried, page = _turns(read, index, end, turn, carried, page)
        return end, carried, step.close(states, page)

    _, carried, states = tf.while_loop(
        lambda index, *_: index < count,
        on_one_page,
        (tf.constant(0), carried, states),
    )
    return carried, states


def _turns(
    step: Step,
    start: tf.Tensor,
    end: tf.Tensor,
    turn: Turn,
    carried: Tensors,
    states: States,
) -> tuple[Tensors, States]:
    def body(index: tf.Tensor, carried: Tensors, states: States) -> tuple:
        return index + 1, *turn(step, index, carried, states)

    _, carried, states = tf.while_loop(
        lambda index, *_: index < end, body, (start, carried, states)
    )
    return carried, states


def generate_tokens(
    step: Step,
    prompt: tf.Tensor,
    length: tf.Tensor,
    seed: tf.Tensor,
    settings: Settings,
    states: States,
) -> tf.Tensor:
    """Write a text of any length after a prompt of any length, in chunks.

    Args:
        step: the model.
        prompt: int32 (P,), P at least 1.
        length: int32 (), how many tokens to write.
        seed: int32 ().
        settings: scalar tensors.
        states: zeros.

    Returns:
        int32 (length,).
    """
    states = read(step, prompt, tf.size(prompt) - 1, states)
    num_chunks = (length + CHUNK - 1) // CHUNK

    def body(
        index: tf.Tensor, token: tf.Tensor, chunks: tf.TensorArray, *states: tf.Tensor
    ) -> tuple:
        start = index * CHUNK
        count = tf.minimum(length - start, CHUNK)
        uniforms = uniform_numbers(seed, start, CHUNK)
        tokens, new_states = generate_chunk(
            step, token[None], tf.constant(1), count, uniforms, settings, list(states)
        )
        chunks = chunks.write(index, tokens)
        return (index + 1, tokens[count - 1], chunks, *new_states)

    chunks = tf.TensorArray(tf.int32, num_chunks, element_shape=(CHUNK,))
    _, _, chunks, *_ = tf.while_loop(
        lambda index, *_: index < num_chunks,
        body,
        (tf.constant(0), prompt[-1], chunks, *states),
    )
    return tf.reshape(chunks.stack(), (-1,))[:length]


class GeneratingModule(tf.Module):
    """The signatures of a model that writes text, as the contract has them.

    Args:
        step: the model.
        variables: its weights; Keras keeps them where tf.Module does not look.
        state_shapes: the shape of each state, batch 1.
        code_points: int32 (V,), ascending: the characters of the ids.
    """

    def __init__(
        self,
        step: Step,
        variables: Sequence[tf.Variable],
        state_shapes: Sequence[tuple[int, ...]],
        code_points: Sequence[int],
    ) -> None:
        super().__init__()
        self._step = step
        self._weights = list(variables)
        self._state_shapes = [tuple(shape) for shape in state_shapes]
        self._code_points = tf.constant(code_points, tf.int32)

    def device_signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """`step` and `generate` on numbers alone: what a `.tflite` holds."""
        states = {
            f"state_{index}": tf.TensorSpec(shape, tf.float32)
            for index, shape in enumerate(self._state_shapes)
        }
        integer, number = tf.TensorSpec((1,), tf.int32), tf.TensorSpec((1,), tf.float32)
        return {
            "step": self.step.get_concrete_function(token=integer, **states),
            "generate": self.generate_chunk.get_concrete_function(
                prompt=tf.TensorSpec((CHUNK,), tf.int32),
                prompt_length=integer,
                length=integer,
                uniforms=tf.TensorSpec((CHUNK,), tf.float32),
                temperature=number,
                top_k=integer,
                top_p=number,
                min_p=number,
                **states,
            ),
        }

    @tf.function
    def step(self, token: tf.Tensor, **states: tf.Tensor) -> dict[str, tf.Tensor]:
        """Logits after one more token, and the states to hand to the next call."""
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
        """The contract's `generate`; see the function of the same name."""
        settings = Settings(temperature[0], top_k[0], top_p[0], min_p[0])
        tokens, new_states = generate_chunk(
            self._step,
            prompt,
            prompt_length[0],
            length[0],
            uniforms,
            settings,
            states_in_order(states),
        )
        # CompiledModel leaves an output unwritten that is the loop's own, so one
        # operation that the converter cannot fold away stands between.
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
        """Text after each prompt: strings in, strings out, each as if it were alone."""
        settings = Settings(temperature, top_k, top_p, min_p)

        def one(prompt: tf.Tensor) -> tf.Tensor:
            tokens = generate_tokens(
                self._step, self._encode(prompt), length, seed, settings, self._zeros()
            )
            points = tf.gather(self._code_points, tokens)
            return tf.strings.unicode_encode(points, "UTF-8")

        text = tf.map_fn(one, prompt, fn_output_signature=tf.TensorSpec((), tf.string))
        return {"text": text}

    def _zeros(self) -> States:
        return [tf.zeros(shape) for shape in self._state_shapes]

    def _encode(self, prompt: tf.Tensor) -> tf.Tensor:
        """Ids of the known characters of a UTF-8 string, or of what stands for none."""
        points = tf.strings.unicode_decode(prompt, "UTF-8", errors="ignore")
        ids = tf.searchsorted(self._code_points, points)
        ids = tf.minimum(ids, tf.size(self._code_points) - 1)
        ids = tf.boolean_mask(ids, tf.gather(self._code_points, ids) == points)
        newline = tf.cast(tf.where(self._code_points == ord("\n"))[:, 0], tf.int32)
        stand_in = tf.concat([newline, [0]], 0)[:1]
        return tf.cond(tf.size(ids) > 0, lambda: ids, lambda: stand_in)


def states_in_order(states: dict[str, tf.Tensor]) -> States:
    """The states of a signature, `state_0` and so on, as a step takes them."""
    return [states[f"state_{index}"] for index in range(len(states))]


def named_states(states: States) -> dict[str, tf.Tensor]:
    """The states of a step by the names that a signature gives them."""
    return {f"state_{index}": state for index, state in enumerate(states)}
