"""From a prompt to the tokens that a character model writes after it."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

# Tokens that one call of `generate` reads or writes at most.
CHUNK = 256


def encode_prompt(prompt: str, characters: Sequence[str]) -> np.ndarray:
    """Ids of a prompt's known characters, int32; the unknown ones are dropped.

    An empty prompt stands for a newline, or for id 0 where there is none.
    """
    ids = {character: index for index, character in enumerate(characters)}
    known = (ids[character] for character in prompt if character in ids)
    found = np.fromiter(known, np.int32)
    return found if found.size else np.array([ids.get("\n", 0)], np.int32)


def unknown_characters(prompt: str, characters: Sequence[str]) -> str:
    """The characters of a prompt that a model does not know, each once, in order."""
    return "".join(sorted(set(prompt).difference(characters)))


def uniform_numbers(seed: int, start: int, count: int) -> np.ndarray:
    """Numbers `start` to `start + count - 1` of a seed's sequence, float32 (count,)."""
    golden = np.uint32(0x9E3779B9)
    index = np.arange(start, start + count, dtype=np.uint64).astype(np.uint32)
    mixed = _mix(_mix(np.array([seed], np.uint32) + golden) + index * golden)
    return (mixed >> np.uint32(8)).astype(np.float32) / np.float32(2**24)


def _mix(x: np.ndarray) -> np.ndarray:
    """MurmurHash3's 32-bit finalizer."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return x


def write_tokens(
    generate: Callable[..., dict[str, np.ndarray]],
    state_shapes: dict[str, list[int]],
    prompt: Sequence[int] | np.ndarray,
    length: int,
    seed: int = 0,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    tokens_a_call: int = CHUNK,
) -> Iterator[np.ndarray]:
    """Write tokens after a prompt, and give them out as they are made.

    Args:
        generate: the model's signature of that name.
        state_shapes: by name.
        prompt: ids, at least one.
        length: how many tokens to write.
        seed: of the uniform numbers, from 0 to 2**31 - 1.
        temperature, top_k, top_p, min_p: as README.md has them.
        tokens_a_call: up to 256; any number gives the same tokens.

    Yields:
        int32 arrays, `length` tokens together.
    """
    states = {name: np.zeros(shape, np.float32) for name, shape in state_shapes.items()}
    settings = {
        # The model holds it within a million, but float32 must be able to hold it too.
        "temperature": np.array([min(temperature, 1e6)], np.float32),
        "top_k": np.array([top_k], np.int32),
        "top_p": np.array([top_p], np.float32),
        "min_p": np.array([min_p], np.float32),
    }
    waiting = np.array(prompt, np.int32)
    start = written = 0
    while written < length:
        # A prompt that is longer than the signature takes is read in chunks; the last
        # token of each chunk is read at the beginning of the next.
        reads = len(waiting) - start > CHUNK
        now = waiting[start : start + CHUNK]
        count = 0 if reads else min(tokens_a_call, length - written)
        padded = np.zeros(CHUNK, np.int32)
        padded[: len(now)] = now
        outputs = generate(
            prompt=padded,
            prompt_length=np.array([len(now)], np.int32),
            length=np.array([count], np.int32),
            uniforms=uniform_numbers(seed, written, CHUNK),
            **settings,
            **states,
        )
        states = {name: outputs[name] for name in states}
        if reads:
            start += CHUNK - 1
            continue
        tokens = outputs["tokens"][:count]
        waiting, start, written = tokens[-1:], 0, written + count
        yield tokens
