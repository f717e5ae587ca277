"""The loop that reads and writes, compared with a plain loop.

The model is a step function whose state is a hash of the tokens in the order in which
they were read, an integer that float32 holds exactly. A token that is read twice, or
not at all, changes it.
"""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasseq.on_device.tokens import uniform_numbers
from kerasseq.signatures.characters import GeneratingModule
from kerasseq.signatures.generation import CHUNK, generate_chunk, generate_tokens
from kerasseq.signatures.sampling import Settings

V = 7
LOGITS = np.random.default_rng(19).normal(0, 2, (13, V)).astype(np.float32)
P, C = 17, 11  # the sizes of prompt and uniforms in one call


def read(state, token):
    return (state * 31 + token + 1) % 10007


def step(token, states):
    (state,) = states
    state = tf.math.floormod(state * 31 + tf.cast(token, tf.float32) + 1, 10007)
    row = tf.cast(tf.math.floormod(state[:, 0], 13), tf.int32)
    return tf.gather(LOGITS, row), [state]


def plain_generate(prompt, length, uniforms, temperature=1.0, state=0):
    """Tokens and state as the contract has them, in Python."""
    for token in prompt[:-1]:
        state = read(state, token)
    token, written = prompt[-1], []
    for index in range(length):
        state = read(state, token)
        logits = LOGITS[state % 13].astype(np.float64)
        if temperature == 0:
            token = int(np.argmax(logits))
        else:
            p = np.exp(logits / temperature)
            token = int(np.argmax(np.cumsum(p / p.sum()) > uniforms[index]))
        written.append(token)
    return written, state


def numbers(seed, start, count):
    """The seed's numbers; test_sampling.py compares them with the contract."""
    return uniform_numbers(seed, start, count).tolist()


def settings_of(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    values = (temperature, top_k, top_p, min_p)
    dtypes = (tf.float32, tf.int32, tf.float32, tf.float32)
    return Settings(*map(tf.constant, values, dtypes))


class Paged:
    """The same model with pages of three steps.

    A page is the state and the number of its turns. Closing a page gives NaN unless
    it had one to three of them.
    """

    def __call__(self, token, states):
        return step(token, states)

    def open(self, states):
        def on_page(token, page):
            state, turns = page
            logits, (state,) = step(token, [state])
            return logits, [state, turns + 1]

        return on_page, [states[0], tf.zeros((1,))], tf.constant(3)

    def close(self, states, page):
        state, turns = page
        ok = tf.reduce_all((turns >= 1) & (turns <= 3))
        return [tf.where(ok, state, tf.fill(state.shape, np.nan))]


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 10, C])
@pytest.mark.parametrize("prompt_length", [1, 4, 5, P])
def test_a_page_may_fill_up_at_any_step(prompt_length, length):
    prompt = list(range(prompt_length)) + [0] * (P - prompt_length)
    found = []
    for model in (step, Paged()):
        tokens, (state,) = generate_chunk(
            model,
            tf.constant(prompt) % V,
            tf.constant(prompt_length),
            tf.constant(length),
            tf.constant(numbers(3, 0, C)),
            settings_of(),
            [tf.zeros((1, 1))],
        )
        found.append((tokens.numpy().tolist(), float(state[0, 0])))
    assert found[0] == found[1]


@tf.function
def chunk(prompt, prompt_length, length, uniforms, temperature, state):
    tokens, (state,) = generate_chunk(
        step,
        prompt,
        prompt_length,
        length,
        uniforms,
        settings_of()._replace(temperature=temperature),
        [state],
    )
    return tokens, state


def run_chunk(prompt, length, uniforms, temperature=1.0, state=0):
    # The padding must not be read; these ids and numbers would change the text.
    prompt_array = [*prompt, *[6] * (P - len(prompt))]
    uniform_array = [*uniforms, *[0.999] * (C - len(uniforms))]
    tokens, state = chunk(
        tf.constant(prompt_array),
        tf.constant(len(prompt)),
        tf.constant(length),
        tf.constant(uniform_array, tf.float32),
        tf.constant(temperature, tf.float32),
        tf.constant([[state]], tf.float32),
    )
    assert tokens.shape == (C,) and not tokens[length:].numpy().any()
    return tokens[:length].numpy().tolist(), int(state[0, 0])


PROMPTS = st.lists(st.integers(0, V - 1), min_size=1, max_size=P)
LENGTHS = st.integers(0, C)
SEEDS = st.integers(0, 2**31 - 1)
TEMPERATURES = st.sampled_from([0.0, 0.5, 1.0, 2.0])


@given(PROMPTS, LENGTHS, SEEDS, TEMPERATURES, st.integers(0, 10006))
def test_a_call_writes_what_a_plain_loop_writes(prompt, length, seed, heat, state):
    uniforms = numbers(seed, 0, length)
    found = run_chunk(prompt, length, uniforms, heat, state)
    assert found == plain_generate(prompt, length, uniforms, heat, state)


@given(PROMPTS, st.lists(st.integers(1, C), min_size=2, max_size=5), SEEDS)
def test_calls_of_any_size_write_the_text_of_one(prompt, lengths, seed):
    written, state, waiting = [], 0, prompt
    for length in lengths:
        uniforms = numbers(seed, len(written), length)
        tokens, state = run_chunk(waiting, length, uniforms, state=state)
        written, waiting = written + tokens, tokens[-1:]
    total = sum(lengths)
    assert (written, state) == plain_generate(prompt, total, numbers(seed, 0, total))


@given(PROMPTS, PROMPTS, LENGTHS)
def test_the_last_token_of_a_call_may_stand_before_a_new_prompt(one, two, length):
    uniforms = numbers(3, 0, length)
    _, state = run_chunk(one, 0, [])
    joined = [one[-1], *two][:P]
    found = run_chunk(joined, length, uniforms, state=state)
    assert found == plain_generate([*one, *joined[1:]], length, uniforms)


def test_reading_without_writing_leaves_the_last_token_for_the_next_call():
    assert run_chunk([2, 5, 3], 0, []) == ([], read(read(0, 2), 5))
    assert run_chunk([3], 0, []) == ([], 0)


@tf.function
def all_tokens(prompt, length, seed):
    state = tf.zeros((1, 1))
    return generate_tokens(step, prompt, length, seed, settings_of(), [state])


@pytest.mark.parametrize("length", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 89])
@pytest.mark.parametrize("prompt_length", [1, 2, CHUNK + 61])
def test_texts_and_prompts_of_any_length_are_written(prompt_length, length):
    prompt = np.random.default_rng(5).integers(0, V, prompt_length).tolist()
    tokens = all_tokens(tf.constant(prompt), tf.constant(length), tf.constant(23))
    expected, _ = plain_generate(prompt, length, numbers(23, 0, length))
    assert tokens.numpy().tolist() == expected


# Code points that break decoders: NUL, the replacement character, noncharacters, and
# those that take two units in UTF-16.
CHARACTERS = "\x00\na\ufffd\ufffe😀\U0010ffff"


def make_module(characters=CHARACTERS):
    points = list(map(ord, characters))
    return GeneratingModule(step, [], [(1, 1)], points)


MODULE = make_module()


@pytest.fixture
def module():
    return MODULE


def write(module, prompts, length, seed=0, **changes):
    texts = module.generate(
        prompt=tf.constant([prompt.encode() for prompt in prompts], tf.string),
        length=tf.constant(length),
        seed=tf.constant(seed),
        **settings_of(**changes)._asdict(),
    )
    return [text.decode() for text in texts["text"].numpy()]


def plain_text(prompt, length, seed=0, characters=CHARACTERS, **changes):
    ids = [characters.index(c) for c in prompt if c in characters]
    stand_in = characters.index("\n") if "\n" in characters else 0
    numbers_of_seed = numbers(seed, 0, length)
    tokens, _ = plain_generate(ids or [stand_in], length, numbers_of_seed, **changes)
    return "".join(characters[token] for token in tokens)


@settings(max_examples=30)
@given(st.text(CHARACTERS + "bé€𝄞\x01\ufeff"), st.integers(0, 61), SEEDS)
def test_text_follows_a_prompt_of_any_characters(prompt, length, seed):
    (text,) = write(MODULE, [prompt], length, seed)
    assert text == plain_text(prompt, length, seed)


def test_a_greedy_text_follows_the_largest_logits(module):
    (text,) = write(module, ["a\na"], 61, temperature=0)
    assert text == plain_text("a\na", 61, temperature=0)


@pytest.mark.parametrize("characters", ["\nabcdef", "abcdefg", "\t\nabcde"])
@pytest.mark.parametrize("prompt", ["", "XYZ", "xy😀"])
def test_an_empty_prompt_stands_for_a_newline_or_the_first_id(characters, prompt):
    (text,) = write(make_module(characters), [prompt], 31)
    assert text == plain_text("", 31, characters=characters)


def test_bytes_that_are_not_utf_8_are_left_out(module):
    texts = module.generate(
        prompt=tf.constant([b"\xffa\xf0\x9f\n\xc3"]),
        length=tf.constant(31),
        seed=tf.constant(0),
        **settings_of()._asdict(),
    )
    assert texts["text"][0].numpy().decode() == plain_text("a\n", 31)


def test_each_prompt_is_continued_as_if_it_were_alone(module):
    prompts = ["a", "", "é", "a\n😀" * 101, "a"]
    texts = write(module, prompts, 43, seed=7)
    assert texts == [plain_text(prompt, 43, seed=7) for prompt in prompts]
    assert write(module, [], 43) == []


def test_the_signatures_are_those_of_the_contract(module):
    number, integer = (((1,), tf.float32), ((1,), tf.int32))
    state = {"state_0": ((1, 1), tf.float32)}
    chunk_of_ids = ((256,), tf.int32)
    expected = {
        "step": (
            {"token": integer} | state,
            {"logits": ((1, V), tf.float32)} | state,
        ),
        "generate": (
            {
                "prompt": chunk_of_ids,
                "prompt_length": integer,
                "length": integer,
                "uniforms": ((256,), tf.float32),
                "temperature": number,
                "top_k": integer,
                "top_p": number,
                "min_p": number,
            }
            | state,
            {"tokens": chunk_of_ids} | state,
        ),
    }

    def described(specs):
        return {spec.name: (tuple(spec.shape), spec.dtype) for spec in specs}

    assert {
        name: (
            described(tf.nest.flatten(function.structured_input_signature)),
            {
                name: (tuple(spec.shape), spec.dtype)
                for name, spec in function.structured_outputs.items()
            },
        )
        for name, function in module.device_signatures().items()
    } == expected


def test_the_states_are_handed_on_in_order():
    """Twelve states, whose names do not sort as their numbers do."""

    def rotate(token, states):
        logits = tf.one_hot(tf.cast(states[0][0], tf.int32), 12)
        return logits, [*states[1:], states[0]]

    module = GeneratingModule(rotate, [], [(1, 1)] * 12, list(range(65, 77)))
    states = {f"state_{i}": tf.constant([[float(i)]]) for i in range(12)}
    outputs = module.step(token=tf.constant([0]), **states)
    assert int(tf.argmax(outputs["logits"][0])) == 0
    assert [int(outputs[f"state_{i}"][0, 0]) for i in range(12)] == [*range(1, 12), 0]
    generate = module.device_signatures()["generate"]
    outputs = generate(
        prompt=tf.zeros((CHUNK,), tf.int32),
        prompt_length=tf.constant([2]),
        length=tf.constant([5]),
        uniforms=tf.zeros((CHUNK,)),
        temperature=tf.constant([0.0]),
        top_k=tf.constant([0]),
        top_p=tf.constant([1.0]),
        min_p=tf.constant([0.0]),
        **states,
    )
    assert outputs["tokens"][:6].numpy().tolist() == [1, 2, 3, 4, 5, 0]
    assert [int(outputs[f"state_{i}"][0, 0]) for i in range(12)] == [
        *range(6, 12),
        *range(6),
    ]


def test_the_device_signature_writes_the_text_of_the_strings(module):
    generate = module.device_signatures()["generate"]
    prompt = [2, 1, 5]
    outputs = generate(
        prompt=tf.constant(prompt + [6] * (CHUNK - 3)),
        prompt_length=tf.constant([3]),
        length=tf.constant([CHUNK]),
        uniforms=tf.constant(numbers(9, 0, CHUNK), tf.float32),
        temperature=tf.constant([1.0]),
        top_k=tf.constant([0]),
        top_p=tf.constant([1.0]),
        min_p=tf.constant([0.0]),
        state_0=tf.zeros((1, 1)),
    )
    text = "".join(CHARACTERS[token] for token in outputs["tokens"].numpy())
    (expected,) = write(module, ["".join(CHARACTERS[i] for i in prompt)], CHUNK, seed=9)
    assert text == expected
    _, state = plain_generate(prompt, CHUNK, numbers(9, 0, CHUNK))
    assert int(outputs["state_0"][0, 0]) == state


@pytest.mark.parametrize(
    "changes",
    [{"temperature": 0.0}, {"top_k": 1}, {"top_p": 0.0}, {"min_p": 1.0}],
    ids=str,
)
def test_every_setting_reaches_the_sampler(module, changes):
    values = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0} | changes
    outputs = module.device_signatures()["generate"](
        prompt=tf.constant([2] * CHUNK),
        prompt_length=tf.constant([1]),
        length=tf.constant([29]),
        uniforms=tf.fill((CHUNK,), 0.999),
        state_0=tf.zeros((1, 1)),
        **{name: tf.constant([value]) for name, value in values.items()},
    )
    greedy, _ = plain_generate([2], 29, [0] * 29, temperature=0)
    assert outputs["tokens"][:29].numpy().tolist() == greedy
    (text,) = write(module, ["a"], 29, seed=1, **changes)
    assert text == plain_text("a", 29, temperature=0)
