"""An encoder's vectors and attention weights for some sentences."""

import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from kerasseq.files.markdown import plain
from kerasseq.files.writing import write_file
from kerasseq.on_device.command import visible
from kerasseq.pictures.heatmap import plot_attention
from kerasseq.text.words import WordVocabulary

SHOWN_SENTENCES = 12
DRAWN_SENTENCES = 2
PRINTED_ELEMENTS = 6


def write_demo(
    directory: str | os.PathLike,
    encoder: keras.Model,
    vocabulary: WordVocabulary,
    sentences: Sequence[str],
) -> Path:
    """Write `embeddings.md` and a `heatmap_*.png` for each block; print some vectors.

    Args:
        directory: of these files.
        encoder: from `build_encoder`.
        vocabulary: its words.
        sentences: the first twelve are shown; the first two are also printed and drawn.

    Returns:
        The path of `embeddings.md`.
    """
    directory = Path(directory)
    max_length = encoder.get_layer("positions").max_length
    shown = sentences[:SHOWN_SENTENCES]
    token_ids = keras.utils.pad_sequences(
        [vocabulary.encode(sentence)[:max_length] for sentence in shown],
        padding="post",
    )
    outputs = encoder.predict_on_batch(token_ids)
    embeddings = outputs.pop("embeddings")
    lines = [
        "# Words in their context",
        "",
        "Each word's vector depends on the words around it and on its position.",
        "",
    ]
    for index, sentence in enumerate(shown):
        count = int((token_ids[index] != 0).sum())
        tokens = [vocabulary.words[token] for token in token_ids[index, :count]]
        vectors = embeddings[index, :count]
        lines += _section(sentence, tokens, vectors)
        if index >= DRAWN_SENTENCES:
            continue
        print(f"\n{visible(sentence.strip())}")
        print(f"  tokens: {visible(' | '.join(tokens))}")
        for token, vector in zip(tokens, vectors, strict=True):
            first = " ".join(f"{value:+.2f}" for value in vector[:PRINTED_ELEMENTS])
            print(f"  {visible(token):<12} {first} ... ({len(vector)} elements)")
        for name, weights in outputs.items():
            block = int(name.removeprefix("attention_")) + 1
            picture = f"heatmap_{index + 1}_block_{block}.png"
            plot_attention(
                weights[index, :, :count, :count],
                tokens,
                tokens,
                directory / picture,
                f"Attention weights of block {block}",
            )
            lines += [f"![Attention weights of block {block}]({picture})", ""]
    return write_file(directory / "embeddings.md", "\n".join(lines))


def _section(sentence: str, tokens: Sequence[str], vectors: np.ndarray) -> list[str]:
    rows = [
        f"| {plain(token)} | {', '.join(f'{value:.2f}' for value in vector)} |"
        for token, vector in zip(tokens, vectors, strict=True)
    ]
    return [
        f"## {plain(sentence.strip())}",
        "",
        "| token | vector |",
        "| --- | --- |",
        *rows,
        "",
    ]
