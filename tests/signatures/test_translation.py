"""The translator's encoder, step and search, in Keras and in LiteRT's two runtimes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from kerasseq.files.runtimes import open_signatures
from kerasseq.files.tflite import convert_all
from kerasseq.models.translation import TranslationConfig, build_translation
from kerasseq.on_device.operators import list_operators
from kerasseq.on_device.sampling import choose_token
from kerasseq.on_device.tokens import uniform_numbers
from kerasseq.on_device.verify import verify
from kerasseq.signatures.translating import translate_ids
from kerasseq.signatures.translation import MOST_MORE, TranslationOnIds
from kerasseq.text.subwords import END, PAD, START
from tests.support.weights import with_random_weights

V, C, H, F = 23, 12, 3, 17
S = 11  # the longest source and target
K = 3
SOURCES = [[3, 9, 4, 4, 20], [7], [], [22, 21, 20, 5, 6, 7, 8, 9, 10, 11], [5, 6, 7]]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    config = TranslationConfig(V, C, H, 1, 2, F, max_length=S)
    model = with_random_weights(build_translation(config), 34, 1.5)
    # Otherwise a piece is its own best continuation for ever, and few end.
    embedding = model.get_layer("embedding").embeddings
    embedding.assign(0.2 * embedding * np.where(np.arange(V) == END, -2.5, 1)[:, None])
    return model


@pytest.fixture(scope="module")
def translating(model) -> TranslationOnIds:
    return TranslationOnIds(model)


def padded(source: list[int]) -> np.ndarray:
    return np.array([[*source, END] + [PAD] * (S - 1 - len(source))], np.int32)


def whole(model, source, ids) -> tuple[np.ndarray, np.ndarray]:
    """Log probabilities (T, V) and alignment (T, S) by the model on a whole target."""
    outputs = model(
        {
            "source_ids": np.array([[*source, END]], np.int32),
            "target_ids": np.array([[START, *ids]], np.int32),
        }
    )
    looked = [outputs[f"alignment_{block}"][0] for block in range(2)]
    log_probabilities = tf.nn.log_softmax(outputs["logits"][0]).numpy()
    return log_probabilities, np.mean(looked, axis=(0, 1))


@pytest.fixture(scope="module")
def translations(translating):
    return {
        width: translate_ids(translating, SOURCES, beam_width=width, length_penalty=0.7)
        for width in (1, K)
    }


def test_greedy_translations_are_those_of_the_whole_model(model, translations):
    for source, found in zip(SOURCES, translations[1], strict=True):
        ids = [*found.ids, END] if found.finished else [*found.ids]
        log_probabilities, alignment = whole(model, source, ids[:-1])
        best = log_probabilities[: len(ids), END:].argmax(-1) + END
        assert ids == best.tolist()
        assert found.finished or len(ids) == S
        np.testing.assert_allclose(
            found.alignment, alignment[: len(found.ids)], atol=1e-5
        )
    assert len({tuple(found.ids) for found in translations[1]}) == len(SOURCES)


@pytest.mark.parametrize("width", [1, K])
def test_a_score_is_that_of_the_whole_model(model, translations, width):
    for source, found in zip(SOURCES, translations[width], strict=True):
        ids = [*found.ids, END] if found.finished else [*found.ids]
        log_probabilities, _ = whole(model, source, ids[:-1])
        total = log_probabilities[np.arange(len(ids)), ids].sum()
        assert found.score == pytest.approx(
            total / ((5 + len(ids)) / 6) ** 0.7, abs=1e-4
        )


def test_more_hypotheses_find_a_better_translation(translations):
    pairs = list(zip(translations[1], translations[K], strict=True))
    better = [wide.score - narrow.score for narrow, wide in pairs if narrow.finished]
    assert max(better) > 0.01 and min(better) > -1e-5


def test_a_source_is_translated_as_it_is_alone(translating, translations):
    for source, found in zip(SOURCES, translations[K], strict=True):
        (alone,) = translate_ids(
            translating, [source], beam_width=K, length_penalty=0.7
        )
        np.testing.assert_array_equal(alone.ids, found.ids)
        assert alone.score == pytest.approx(found.score, abs=1e-5)
        assert alone.alignment.shape == (len(found.ids), len(source) + 1)
        np.testing.assert_allclose(alone.alignment, found.alignment, atol=1e-5)


def test_a_seed_gives_the_ids_that_the_contract_chooses(model, translating):
    """Each source is sampled as it is alone, by the sampler of the programs."""
    temperature, different = 0.8, set()
    for seed in (0, 2**31 - 1):
        found = translate_ids(translating, SOURCES, temperature=temperature, seed=seed)
        numbers = uniform_numbers(seed, 0, S)
        for source, each in zip(SOURCES, found, strict=True):
            ids = [*each.ids, END] if each.finished else [*each.ids]
            log_probabilities, _ = whole(model, source, ids[:-1])
            assert ids == [
                END + choose_token(row[END:], number, temperature=temperature)
                for row, number in zip(log_probabilities, numbers, strict=False)
            ]
            assert each.finished or len(ids) == S
            total = log_probabilities[np.arange(len(ids)), ids].sum()
            assert each.score == pytest.approx(total / ((5 + len(ids)) / 6), abs=1e-4)
            different.add(tuple(ids))
    assert len(different) == 2 * len(SOURCES)


def test_a_translation_is_cut_at_the_limit(translating, translations):
    cut = translate_ids(translating, SOURCES, beam_width=1, max_length=2)
    for found, all_of_it in zip(cut, translations[1], strict=True):
        assert found.ids.tolist() == all_of_it.ids[:2].tolist()
        assert found.finished == (len(all_of_it.ids) < 2)


def test_the_limit_follows_from_the_length_of_the_source():
    """A model that never ends writes as many more as are allowed."""
    config = TranslationConfig(V, C, H, 1, 1, F, max_length=MOST_MORE + 9)
    model = with_random_weights(build_translation(config), 17, 0.5)
    embedding = model.get_layer("embedding").embeddings
    embedding.assign(np.array(embedding) * (np.arange(V) > END)[:, None] * 9)
    sources = [[4], [4, 5, 6, 7], [8] * 20]
    found = translate_ids(TranslationOnIds(model), sources, beam_width=1)
    assert not any(each.finished for each in found)
    lengths = [len(each.ids) for each in found]
    assert lengths == [MOST_MORE + 2, MOST_MORE + 5, MOST_MORE + 9]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"beam_width": 0}, "beam_width=0 must be at least 1"),
        ({"max_length": 0}, "max_length=0 is not from 1 to the model's 11"),
        ({"max_length": 12}, "max_length=12 is not from 1 to the model's 11"),
        ({"length_penalty": -1.0}, "length_penalty=-1.0 is not a number from 0 up"),
        ({"length_penalty": float("nan")}, "length_penalty=nan is not a number"),
        ({"temperature": -0.1}, "temperature=-0.1 is not a number from 0 up"),
        ({"seed": 2**31}, "seed=2147483648 is not within 0 to"),
    ],
)
def test_settings_out_of_range_are_refused(translating, settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        translate_ids(translating, SOURCES, **settings)


@pytest.fixture(scope="module")
def flatbuffers(translating) -> dict[str, bytes]:
    signatures = translating.device_signatures()
    return dict(convert_all(translating, signatures, ["float32", "int8"]))


RUNTIMES = ("interpreter", "compiled_model")


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_device_finds_the_translations_of_keras(translating, flatbuffers, runtime):
    run = open_signatures(flatbuffers["float32"], runtime)["translate"]
    for width in (1, 2, 4, 5, 8):
        expected = translate_ids(
            translating, SOURCES, beam_width=width, length_penalty=0.7
        )
        for source, best in zip(SOURCES, expected, strict=True):
            found = run(
                source_ids=padded(source),
                beam_width=np.array([width], np.int32),
                length_penalty=np.array([0.7], np.float32),
                max_length=np.array([S], np.int32),
                temperature=np.zeros(1, np.float32),
                uniforms=np.zeros(S, np.float32),
            )
            count = len(best.ids)
            ids = [*best.ids, END] if best.finished else [*best.ids]
            assert found["ids"][0].tolist() == ids + [PAD] * (S - len(ids))
            assert found["finished"][0] == best.finished
            assert found["score"][0] == pytest.approx(best.score, abs=1e-4)
            alignment = found["alignment"][0]
            np.testing.assert_allclose(
                alignment[:count, : len(source) + 1], best.alignment, atol=1e-5
            )
            assert not alignment[:, len(source) + 1 :].any()
            assert not alignment[len(ids) :].any()


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_host_that_calls_encode_and_step_gets_what_keras_computes(
    model, flatbuffers, runtime
):
    """Each row reads a target of its own, as a search or a sampler would let it."""
    signatures = open_signatures(flatbuffers["float32"], runtime)
    memory = signatures["encode"](source_ids=padded(SOURCES[0]))
    memory = {name: value.copy() for name, value in memory.items()}
    assert memory["source_mask"].tolist() == [[1.0] * 6 + [0.0] * 5]
    targets = np.random.default_rng(2).integers(3, V, (8, S - 1)).astype(np.int32)
    shapes = {f"state_{index}": (8, H, S, C // H) for index in range(4)}
    states = {
        name: np.zeros(shape, np.float32)
        for name, shape in {**shapes, "state_4": (8,)}.items()
    }
    expected = [whole(model, SOURCES[0], row) for row in targets]
    for step in range(S):
        token = targets[:, step - 1] if step else np.full(8, START, np.int32)
        outputs = dict(signatures["step"](token=token, **memory, **states))
        logits, alignment = outputs.pop("logits"), outputs.pop("alignment")
        for row, (log_probabilities, looked) in enumerate(expected):
            found = tf.nn.log_softmax(logits[row]).numpy()
            np.testing.assert_allclose(found, log_probabilities[step], atol=1e-4)
            np.testing.assert_allclose(alignment[row, :6], looked[step], atol=1e-5)
        states = {name: value.copy() for name, value in outputs.items()}


@pytest.mark.slow
def test_a_file_holds_each_weight_once_and_only_operations_that_are_known(
    model, flatbuffers
):
    for number_format, flatbuffer in flatbuffers.items():
        assert set(verify(flatbuffer, V)) == {"translate", "encode", "step"}
        assert not [name for name in list_operators(flatbuffer) if ":" in name]
        buffers = schema.ModelT.InitFromPackedBuf(flatbuffer).buffers
        stored = [len(each.data) for each in buffers if each.data is not None]
        # Matrices of fewer than 1,024 elements stay in float32 in eight bits too.
        matrices = [4 * each.size for each in model.get_weights() if each.ndim > 1]
        for each in set(matrices):
            assert stored.count(each) == matrices.count(each), number_format


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_eight_bits_translate_nearly_as_keras(translating, flatbuffers, runtime):
    run = open_signatures(flatbuffers["int8"], runtime)["translate"]
    expected = translate_ids(translating, SOURCES, beam_width=4, length_penalty=0.7)
    for source, best in zip(SOURCES, expected, strict=True):
        found = run(
            source_ids=padded(source),
            beam_width=np.array([4], np.int32),
            length_penalty=np.array([0.7], np.float32),
            max_length=np.array([S], np.int32),
            temperature=np.zeros(1, np.float32),
            uniforms=np.zeros(S, np.float32),
        )
        assert found["score"][0] == pytest.approx(best.score, abs=0.3)


ORDERS = {
    "copying": lambda ids: np.arange(len(ids)),
    "reversing": lambda ids: np.arange(len(ids))[::-1],
    "sorting": np.argsort,
}


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_an_order_is_learned_and_the_alignment_is_that_order(order):
    """A model of 23,000 weights makes no mistake on 500 new sequences."""
    keras.utils.set_random_seed(1)
    numbers, longest, most = np.random.default_rng(0), 6, 40

    def draw(count):
        sources = np.zeros((count, longest + 1), np.int32)
        targets = np.zeros_like(sources)
        for source, target in zip(sources, targets, strict=True):
            length = numbers.integers(1, longest + 1)
            ids = numbers.choice(np.arange(END + 1, most), length, replace=False)
            source[: length + 1] = [*ids, END]
            target[: length + 1] = [*ids[ORDERS[order](ids)], END]
        starts = np.full((count, 1), START, np.int32)
        inputs = np.concatenate([starts, targets[:, :-1]], 1)
        # END is no input.
        inputs[inputs == END] = PAD
        return {"source_ids": sources, "target_ids": inputs}, targets

    config = TranslationConfig(most, 32, 1, 1, 1, 64, longest + 1, dropout=0.0)
    model = build_translation(config)
    learner = keras.Model(model.input, model.output["logits"])
    steps, batch_size = 2000, 64
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=5e-3, warmup_steps=200
    )
    learner.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    inputs, targets = draw(steps * batch_size)
    learner.fit(
        inputs,
        targets,
        sample_weight=(targets != PAD).astype("float32"),
        batch_size=batch_size,
        verbose=0,
    )
    inputs, targets = draw(500)
    sources = [
        row[: row.argmin()] for row in np.pad(inputs["source_ids"], ((0, 0), (0, 1)))
    ]
    sources = [row[:-1] for row in sources]
    found = translate_ids(TranslationOnIds(model), sources, beam_width=1)
    masses = []
    for source, target, best in zip(sources, targets, found, strict=True):
        assert best.ids.tolist() == target[: len(source)].tolist()
        steps = np.arange(len(source))
        masses.append(best.alignment[steps, ORDERS[order](source)].mean())
    assert np.mean(masses) > 0.9
