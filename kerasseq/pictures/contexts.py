"""Words in their sentences as an encoder sees them: senses, and what is alike."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from kerasseq.data.made_up_sentences import MadeUpSentence
from kerasseq.files.markdown import plain
from kerasseq.pictures.vectors import plot_senses, plot_words
from kerasseq.scores.context import sense_accuracy, sense_silhouette, similarities
from kerasseq.text.words import MASK, PAD, WordVocabulary

SHOWN_SENTENCES = 4
DRAWN_WORDS = 90
NEAREST = 4
HIDDEN_WORDS, ROWS_AT_ONCE = 7_000, 256


class Reading:
    """Sentences as an encoder sees them.

    Args:
        encoder: from `build_encoder`.
        vocabulary: its words.
        sentences: to read.

    Attributes:
        sentences: as given.
        words: of each sentence, T words as the encoder knows them.
        token_ids: int (N, longest T), padded.
        embeddings: float32 (N, longest T, C).
        vectors: of each sentence, float32 (T, C).
        weights: of each sentence, float32 (blocks, heads, T, T).
    """

    def __init__(
        self, encoder: keras.Model, vocabulary: WordVocabulary, sentences: Sequence[str]
    ) -> None:
        length = encoder.get_layer("positions").max_length
        self.sentences = sentences
        self.token_ids = keras.utils.pad_sequences(
            [vocabulary.encode(sentence)[:length] for sentence in sentences],
            padding="post",
        )
        counts = (self.token_ids != PAD).sum(1)
        self.words = [
            [vocabulary.words[token] for token in row[:count]]
            for row, count in zip(self.token_ids, counts, strict=True)
        ]
        outputs = encoder.predict(self.token_ids, batch_size=64, verbose=0)
        self.embeddings = outputs.pop("embeddings")
        stacked = np.stack([outputs[f"attention_{b}"] for b in range(len(outputs))], 1)
        self.weights = [
            table[..., :count, :count]
            for table, count in zip(stacked, counts, strict=True)
        ]
        self.vectors = [
            rows[:count] for rows, count in zip(self.embeddings, counts, strict=True)
        ]
        self._encoder = encoder

    def weights_of_hidden_words(self) -> list[np.ndarray]:
        """Weights (blocks, heads, T, T) whose row t is that of word t while hidden.

        They are what the encoder learned to guess words by; those of the first
        sentences, 7,000 words at most.
        """
        lengths = np.array([len(words) for words in self.words])
        count = max(1, int((np.cumsum(lengths) <= HIDDEN_WORDS).sum()))
        rows = np.repeat(np.arange(count), lengths[:count])
        at = np.concatenate([np.arange(length) for length in lengths[:count]])
        token_ids = self.token_ids[rows]
        token_ids[np.arange(len(rows)), at] = MASK
        found = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            chunk = slice(start, start + ROWS_AT_ONCE)
            outputs = self._encoder.predict_on_batch(token_ids[chunk])
            own = np.arange(len(at[chunk]))
            found.append(
                np.stack(
                    [
                        outputs[f"attention_{block}"][own, :, at[chunk]]
                        for block in range(len(outputs) - 1)
                    ],
                    1,
                )
            )
        pieces = np.split(np.concatenate(found), np.cumsum(lengths[: count - 1]))
        return [
            piece[..., :length].transpose(1, 2, 0, 3)
            for piece, length in zip(pieces, lengths, strict=False)
        ]


def measure_senses(
    directory: Path,
    encoder: keras.Model,
    read: Reading,
    made_up: Sequence[MadeUpSentence],
) -> dict[str, tuple[float, float]]:
    """Draw the senses; the figures of the encoder's vectors and of its inputs."""
    at = np.array([sentence.ambiguous for sentence in made_up])
    words = [sentence.words[sentence.ambiguous] for sentence in made_up]
    senses = [sentence.sense for sentence in made_up]
    inputs = encoder.get_layer("embedding")(read.token_ids)
    inputs = keras.ops.convert_to_numpy(encoder.get_layer("positions")(inputs))
    rows = np.arange(len(made_up))
    ours, theirs = read.embeddings[rows, at], inputs[rows, at]
    early = [2 * s.ambiguous < len(s.words) for s in made_up]
    plot_senses(ours, words, senses, early, directory / "senses.png")
    return {
        "nearest vector of the word at another position has its sense": (
            sense_accuracy(ours, words, senses, at),
            sense_accuracy(theirs, words, senses, at),
        ),
        "silhouette of the senses": (
            sense_silhouette(ours, words, senses),
            sense_silhouette(theirs, words, senses),
        ),
    }


def show_alike(
    directory: Path, read: Reading, labels: Sequence[Sequence[str]], senses: bool
) -> list[str]:
    """Words at their mean vectors, and the nearest ones of those with two senses."""
    flat = [label for words in labels for label in words]
    names, inverse, counts = np.unique(flat, return_inverse=True, return_counts=True)
    sums = np.zeros((len(names), read.embeddings.shape[-1]))
    np.add.at(sums, inverse, np.concatenate(read.vectors))
    means = sums / counts[:, None]
    often = np.argsort(-counts, kind="stable")[:DRAWN_WORDS]
    plot_words(means[often], [*map(str, names[often])], directory / "words.png")
    lines = ["## Which words are alike", "", "![Words](words.png)", ""]
    if not senses:
        return lines
    cosines = similarities(means - means.mean(0))
    lines += ["| word | nearest words |", "| --- | --- |"]
    for index, name in enumerate(names):
        word, _, sense = name.partition(" (")
        if not sense:
            continue
        others = [
            f"{names[other]} {cosines[index, other]:.2f}"
            for other in np.argsort(-cosines[index])
            if names[other].partition(" (")[0] != word
        ]
        lines.append(f"| {name} | {', '.join(others[:NEAREST])} |")
    return [*lines, ""]


def list_nearest(read: Reading) -> list[str]:
    """For the words of some sentences, the nearest other words where they stand."""
    lines = ["## The nearest words, each in its sentence", ""]
    vectors = np.concatenate(read.vectors)
    centre = vectors.mean(0)
    flat = [
        (row, at) for row, words in enumerate(read.words) for at in range(len(words))
    ]
    spelled = np.array([read.words[row][at] for row, at in flat])
    for row in range(min(SHOWN_SENTENCES, len(read.words))):
        start = sum(map(len, read.words[:row]))
        lines += [
            f"### {plain(read.sentences[row].strip())}",
            "",
            "| word | nearest |",
            "| --- | --- |",
        ]
        mine = slice(start, start + len(read.words[row]))
        cosines = similarities(vectors[mine] - centre, vectors - centre)
        for word, similar in zip(read.words[row], cosines, strict=True):
            chosen: dict[str, str] = {}
            for other in np.argsort(-similar):
                if len(chosen) == NEAREST:
                    break
                name = str(spelled[other])
                if name != word and name not in chosen and flat[other][0] != row:
                    chosen[name] = f"{plain(name)} {similar[other]:.2f}"
            lines.append(f"| {plain(word)} | {', '.join(chosen.values())} |")
        lines.append("")
    return lines
