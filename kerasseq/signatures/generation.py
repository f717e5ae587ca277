"""Read a prompt, write tokens: the same loop in Keras, SavedModel and TFLite.

The loop knows a model only as a step function: `step(token, states) -> (logits,
states)`, with token int32 (1,), logits float32 (1, V), and states a list of tensors
that start as zeros.
"""

from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

import tensorflow as tf

from kerasseq.signatures.sampling import (
    LARGEST_UNIFORM,
    Settings,
    filters,
    sampler,
    uniform_numbers,
)
from kerasseq.signatures.states import States

Step: TypeAlias = Callable[[tf.Tensor, States], tuple[tf.Tensor, States]]
Tensors: TypeAlias = tuple[tf.Tensor, ...]
# Other loops may have a step and variables of another form.
AnyStep = TypeVar("AnyStep")
Carried = TypeVar("Carried")

# One iteration: maps a step function, the index, the loop's variables and the states to
# the new variables and states.
Body: TypeAlias = Callable[[Step, tf.Tensor, Tensors, States], tuple[Tensors, States]]

# The contract's size of `prompt`, `uniforms` and `tokens` in one call.
CHUNK = 256


@runtime_checkable
class PagedStep(Protocol):
    """A step function with states too large to change in every iteration.

    Each iteration changes a page instead: a few small tensors, opened from the states
    and moved back into them after some iterations.
    """

    def __call__(
        self, token: tf.Tensor, states: States
    ) -> tuple[tf.Tensor, States]: ...

    def open(self, states: States) -> tuple[Step, States, tf.Tensor]:
        """A step function on a page, the page, and its size in iterations, int32 ()."""
        ...

    def close(self, states: States, page: States) -> States:
        """The states after the page has moved into them."""
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
        prompt: int32 (P,), of which the first `prompt_length` tokens are read.
        prompt_length: int32 (), from 1 to P.
        length: int32 (), number of tokens to write, from 0 to C.
        uniforms: float32 (C,), one number for each token.
        settings: scalar tensors.
        states: those of the previous call, or zeros.

    Returns:
        tokens int32 (C,), zeros from `length` on, and the states after all tokens but
        the last, which is the next call's prompt.
    """
    states = read(step, prompt, prompt_length - 1, states)
    last = prompt[prompt_length - 1]
    # Outside the loop, since it is the same for all tokens.
    return tf.cond(
        filters(settings),
        lambda: _write(step, last, length, uniforms, sampler(settings, True), states),
        lambda: _write(step, last, length, uniforms, sampler(settings, False), states),
    )


def read(step: Step, tokens: tf.Tensor, count: tf.Tensor, states: States) -> States:
    """Let the model read the first `count` of `tokens`."""

    def body(
        step: Step, index: tf.Tensor, carried: Tensors, states: States
    ) -> tuple[Tensors, States]:
        _, states = step(tf.reshape(tf.gather(tokens, index), (1,)), states)
        return carried, states

    _, states = _loop(step, count, body, (), states)
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
    positions = tf.range(uniforms.shape[0])
    uniforms = tf.minimum(uniforms, LARGEST_UNIFORM)

    def body(
        step: Step, index: tf.Tensor, carried: Tensors, states: States
    ) -> tuple[Tensors, States]:
        token, tokens = carried
        logits, states = step(tf.reshape(token, (1,)), states)
        token = choose_token(tf.reshape(logits, (-1,)), tf.gather(uniforms, index))
        return (token, tf.where(positions == index, token, tokens)), states

    (_, tokens), states = _loop(
        step, length, body, (token, tf.zeros_like(positions)), states
    )
    return tokens, states


def _loop(
    step: Step, count: tf.Tensor, body: Body, carried: Tensors, states: States
) -> tuple[Tensors, States]:
    """Run `count` iterations, each of which calls the step once.

    For a step with pages, an inner loop runs over one page. It does not change the
    states, which are therefore not copied.
    """
    if not isinstance(step, PagedStep):
        return iterate(step, tf.constant(0), count, body, carried, states)

    def on_one_page(index: tf.Tensor, carried: Tensors, states: States) -> tuple:
        read, page, free = step.open(states)
        end = tf.minimum(count, index + free)
        carried, page = iterate(read, index, end, body, carried, page)
        return end, carried, step.close(states, page)

    _, carried, states = tf.while_loop(
        lambda index, *_: index < count,
        on_one_page,
        (tf.constant(0), carried, states),
    )
    return carried, states


def iterate(
    step: AnyStep,
    start: tf.Tensor,
    end: int | tf.Tensor,
    body: Callable[[AnyStep, tf.Tensor, Carried, States], tuple[Carried, States]],
    carried: Carried,
    states: States,
    going: Callable[[Carried], tf.Tensor] | None = None,
) -> tuple[Carried, States]:
    """Run iterations until `end`, or as long as `going(carried)` is true."""
    _, carried, states = tf.while_loop(
        lambda index, carried, _: (
            index < end if going is None else (index < end) & going(carried)
        ),
        lambda index, carried, states: (index + 1, *body(step, index, carried, states)),
        (start, carried, states),
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
        length: int32 (), number of tokens to write.
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
