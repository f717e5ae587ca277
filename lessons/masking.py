r"""
Why is the decoder's attention masked?
======================================

A model that writes learns from a finished text: at every letter it guesses the next
one, for all letters at once. But the next letter is right there, in the input, one
place to the right. A *causal mask* hides it: a position attends to itself and to those
before it, and to nothing later.

.. math:: \text{score}_{ts} = \begin{cases} q_t \cdot k_s / \sqrt{D} & s \le t \\
   -\infty & s > t \end{cases}

**The question.** What does a model learn if it can peek?

**Predict.** Two models are the same but for the mask. Which has the lower loss, and
which writes the better text?

Answers question 16 of a first course's homework: the first picture shows what the mask
blocks, the second what happens without it.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

import kerasseq as ks

keras.utils.set_random_seed(3)
plt.rcParams.update({"font.size": 12, "figure.constrained_layout.use": True})
INK, GREY, BLUE, ORANGE = "#30363d", "#8a94a0", "#1f5fa8", "#d9622b"

# %%
# A text and a model
# ------------------
# The text is made here: sentences of a few words.

generator = np.random.default_rng(0)
NOUNS = "cat dog bird fish horse mouse".split()
VERBS = "sees hears likes follows finds".split()
KINDS = "small old red quiet clever".split()


def make_sentence():
    subject, thing = generator.choice(NOUNS, 2)
    verb, one, other = *generator.choice(VERBS, 1), *generator.choice(KINDS, 2)
    return f"the {one} {subject} {verb} the {other} {thing}. "


text = "".join(make_sentence() for _ in range(1500))
WORDS = {*NOUNS, *VERBS, *KINDS, "the"}
letters = sorted(set(text))
ids = np.array([letters.index(letter) for letter in text], "int32")
T, SIZE = 40, 64
print(text[:86])


class Block(keras.layers.Layer):
    """Attention and a feed-forward layer, with a causal mask or without."""

    def __init__(self, causal, **kwargs):
        super().__init__(**kwargs)
        self.causal = causal
        self.attention = ks.MultiHeadSelfAttention(num_heads=4, head_size=SIZE // 4)
        self.norms = [keras.layers.LayerNormalization() for _ in range(2)]
        self.expand = keras.layers.Dense(4 * SIZE, "relu")
        self.contract = keras.layers.Dense(SIZE)

    def call(self, x):
        allowed = ks.causal_mask(keras.ops.shape(x)[1]) if self.causal else None
        found, _ = self.attention(self.norms[0](x), attention_mask=allowed)
        x = x + found
        return x + self.contract(self.expand(self.norms[1](x)))


def build(causal):
    """From letters (B, T) to logits (B, T, V) of the letter after each."""
    inputs = keras.Input((None,), dtype="int32")
    small = keras.initializers.RandomNormal(stddev=SIZE**-0.5)
    x = keras.layers.Embedding(len(letters), SIZE, small)(inputs)
    x = Block(causal, name="block")(ks.SinusoidalPositions(T)(x))
    return keras.Model(inputs, keras.layers.Dense(len(letters))(x))


models = {"with the mask": build(True), "without a mask": build(False)}

# %%
# Change the future
# -----------------
# We change one letter and see which outputs of the two new models change. With the
# mask, those before it must not: not a little, but by exactly zero. A weight of zero
# times anything is zero.

line = "the old cat sees"
start = np.array([[letters.index(letter) for letter in line]], "int32")


def influence(model):
    """(T, T): how much the output at t changes if the letter at s does."""
    same = np.repeat(start, len(line), 0)  # batches of one shape, for equal rounding
    changed = same.copy()
    np.fill_diagonal(changed, (start[0] + 1) % len(letters))
    difference = model(changed) - model(same)  # (s, t, V)
    return np.linalg.norm(difference, axis=-1).T


reach = {name: influence(model) for name, model in models.items()}
future = np.triu(np.ones((len(line), len(line)), bool), 1)  # s after t
assert (reach["with the mask"][future] == 0).all(), "the mask blocks the future exactly"

figure, both = plt.subplots(1, 2, figsize=(6.4, 3.7), sharey=True)
for axes, (name, table) in zip(both, reach.items(), strict=True):
    shown = np.where(table > 0, table, np.nan)  # exact zeros stay white
    axes.imshow(shown, cmap="Blues", norm=LogNorm(1e-3, 3))
    axes.set_xticks(range(len(line)), line, size=11, family="monospace")
    axes.set_yticks(range(len(line)), line, size=11, family="monospace")
    axes.tick_params(length=0)
    axes.set_title(name, color=INK)
    axes.set_xlabel("letter that was changed", color=INK)
both[0].set_ylabel("output that changes", color=INK)
both[0].text(10.4, 4.5, "exactly\nzero", ha="center", color=INK, size=13)

# %%
# Train both
# ----------

targets = ids[1 : len(ids) // T * T + 1 - T].reshape(-1, T)
inputs = ids[: targets.size].reshape(-1, T)
held_out = 100
loss = {}
for name, model in models.items():
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 430)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    model.fit(
        inputs[held_out:], targets[held_out:], batch_size=32, epochs=13, verbose=0
    )
    loss[name] = model.evaluate(inputs[:held_out], targets[:held_out], verbose=0)
    print(f"{name}: held-out loss {loss[name]:.3f} nats a letter")


def write(model, count=8, length=T):
    """Write `count` texts at temperature 1, from "the " on, one letter at a time."""
    written = np.tile([letters.index(letter) for letter in "the "], (count, 1))
    while written.shape[1] < length:
        logits = model(written)[:, -1].numpy()
        noise = generator.gumbel(size=logits.shape)  # the largest sum is a sample
        written = np.concatenate([written, (logits + noise).argmax(-1)[:, None]], 1)
    return ["".join(letters[index] for index in row) for row in written]


def share_of_words(lines):
    """The share of whole words that are words of the text."""
    # Not the first, which was given, nor the last, which may not be finished.
    words = [word.strip(".") for line in lines for word in line.split(" ")[1:-1]]
    return sum(word in WORDS for word in words) / max(1, len(words))


texts = {name: write(model) for name, model in models.items()}
words = {name: share_of_words(lines) for name, lines in texts.items()}
print("whole words that are words:", words)

# %%
# The model that could peek has nearly no loss. It has learned one thing: copy the
# letter to the right. When it writes, there is no letter to the right, and it has
# learned nothing else. What is its loss on the held-out text if we hide the future from
# it now?

models["without a mask"].get_layer("block").causal = True
hidden = "without, future hidden"
models["without a mask"].compile(loss=models["with the mask"].loss, jit_compile=False)
loss[hidden] = models["without a mask"].evaluate(
    inputs[:held_out], targets[:held_out], verbose=0
)
counts = np.bincount(ids) / len(ids)
unigram = -(counts * np.log(counts)).sum()  # who knows only how common each letter is
print(
    f"{hidden}: {loss[hidden]:.2f} nats a letter; letters by frequency: {unigram:.2f}"
)

figure, panels = plt.subplot_mosaic(
    [["loss"], *[[name] for name in texts]], figsize=(6.4, 6), height_ratios=(1.2, 1, 1)
)
bars = panels["loss"].barh(
    list(loss), list(loss.values()), color=[BLUE, ORANGE, ORANGE]
)
labels = [f"{value:.2f}  {name}" for name, value in loss.items()]
panels["loss"].bar_label(bars, labels, padding=5, color=INK)
panels["loss"].set_xlim(0, 1.8 * max(loss.values()))
panels["loss"].invert_yaxis()
panels["loss"].set_axis_off()
title = "loss on held-out text, nats a letter"
panels["loss"].set_title(title, loc="left", size=12, color=INK)
for name, lines in texts.items():
    axes = panels[name]
    for row, line in enumerate(lines[:5]):
        column = 0
        parts = line.split(" ")
        for index, word in enumerate(parts):
            color = INK if word.strip(".") in WORDS else ORANGE
            begun = any(each.startswith(word) for each in WORDS)
            if index == 0 or (index == len(parts) - 1 and begun):
                color = GREY
            for letter in word:
                axes.text(column, row, letter, family="monospace", size=16, color=color)
                column += 1
            column += 1
    axes.set(xlim=(0, T), ylim=(4.6, -0.6))
    axes.set_axis_off()
    title = f"{name}, it writes: {words[name]:.0%} are words"
    color = BLUE if name == "with the mask" else ORANGE
    axes.set_title(title, loc="left", size=12, color=color)

# %%
# Grey are the word that was given and the one that is not finished, orange what is not
# a word of the text.
#
# A low loss on a question that contains its answer means nothing. Whenever a loss looks
# too good, look for the place where the answer leaks.
#
# What was measured
# -----------------

assert (reach["without a mask"][future] > 0).mean() > 0.9, "no mask: the future acts"
assert loss["without a mask"] < 0.1 < loss["with the mask"], "peeking is cheap"
assert loss[hidden] > 2 * loss["with the mask"], "but useless when the future is hidden"
assert words["with the mask"] > 0.7, "with the mask it writes words"
assert words["without a mask"] < 0.5 * words["with the mask"], "without it does not"

# %%
# Exercises
# ---------
# 1. Shift the mask by one, so that a position sees those before it, but not itself.
#    Does the loss change much? Follow the residual connection.
# 2. An encoder has no mask. Why may it look ahead, and why is it not asked for the next
#    word?
