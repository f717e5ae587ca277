"""
Temperature, and what top-k, top-p and min-p cut away
=====================================================

A language model does not write. It gives each possible next character a probability,
and something else has to choose. The *temperature* decides how daring that choice is.

**The question.** What does the temperature change, and what do the three filters
top-k, top-p and min-p change?

**A prediction, before we measure.** A low temperature always takes the likeliest
character, so the same few words come back again and again. A high one takes any
character, so most words are none. In between there is a temperature at which the text
is about as rich in words as the text that people wrote. Where do you expect it?

Answers question 18 of a first course's homework: a model writes step by step, and each
step is a choice from a distribution (first picture: what the temperature does to the
choice; second picture: what the filters do).

``python lessons/temperature.py --out DIR --text FILE`` takes the character model of
your own run (``kerasseq train FILE --out DIR``) instead of a small new one.
"""

# %%
# A model that writes
# -------------------
# Without ``--out`` we train a small recurrent network (a GRU) for some seconds on the
# manual that comes with every Python. Its last tenth is held out: it is the text that
# people wrote, for comparison.

import argparse
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

import kerasseq as ks
from kerasseq.on_device.sampling import choose_token

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=Path, help="the folder of your own run")
parser.add_argument("--text", default="pydoc", help="the text that it learned from")
arguments, _ = parser.parse_known_args()  # a notebook passes arguments of its own
keras.utils.set_random_seed(1)
corpus = ks.load_corpus(arguments.text)  # "pydoc" is Python's manual
train_ids, held_out_ids = ks.split_text(corpus.ids)
vocabulary, people = corpus.vocabulary, corpus.vocabulary.decode(held_out_ids)
known_words = set(corpus.text.split())
if arguments.out:
    kinds = ("char_rnn", "char_transformer")
    folders = (arguments.out / kind for kind in kinds)
    folder = next(each for each in folders if each.is_dir())
    model = ks.load_model(folder / f"{folder.name}.keras")
    vocabulary = ks.Vocabulary.load(folder / "vocabulary.json")
else:
    model = ks.build_char_rnn(ks.CharRNNConfig(len(vocabulary), units=128))
    learner = ks.build_stateful_model(model, batch_size=32, length=64)
    config = ks.TrainingConfig.for_text(
        len(train_ids), budget=1_000_000, learning_rate=1e-2
    )
    ks.compile_for_training(learner, config)
    learner.fit(
        ks.next_character_streams(train_ids, 32, 64).repeat(),
        epochs=config.epochs,
        steps_per_epoch=config.steps_per_epoch,
        shuffle=False,
        verbose=0,
    )

# %%
# Temperature
# -----------
# The model's last layer gives a number for each character, its *logit* :math:`z_i`. The
# probabilities at temperature :math:`T` are
#
# .. math:: p_i = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}}
#
# How undecided a distribution is, is its *entropy*
# :math:`H = -\sum_i p_i \ln p_i`: 0 if one character is certain, and :math:`\ln V` if
# all :math:`V` are equally likely. We measure it at 1,000 places of the held-out text.


def probabilities(logits, temperature):
    weights = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
    return weights / weights.sum(-1, keepdims=True)


def entropy(p):
    return -(p * np.log(np.maximum(p, 1e-30))).sum(-1)


temperatures = np.array([0.2, 0.35, 0.5, 0.7, 0.85, 1.0, 1.25, 1.5, 2.0])
places = vocabulary.encode(people[:1_000])
logits = model.predict_on_batch(places[None])[0].astype(float)
entropies = np.array([entropy(probabilities(logits, t)).mean() for t in temperatures])

# A little calculus gives the slope: dH/dT is the variance of the logits under p,
# divided by T cubed. A variance is never negative, so the entropy never falls.
p = probabilities(logits, 1.0)
formula = ((p * logits**2).sum(-1) - (p * logits).sum(-1) ** 2).mean()
warmer, colder = (entropy(probabilities(logits, 1 + d)).mean() for d in (1e-3, -1e-3))
slope = (warmer - colder) / 2e-3
print(f"slope of the entropy at T = 1: measured {slope:.4f}, formula {formula:.4f}")

# %%
# Now let the model write at each temperature. The rows of one batch are texts, and each
# row has its own temperature. A number :math:`u` between 0 and 1 chooses the character:
# the first one whose running sum of probabilities exceeds :math:`u`.

TEXTS, LENGTH = 8, 500  # texts for each temperature, and characters in each
rows = np.repeat(temperatures, TEXTS)[:, None]
writer = ks.build_stateful_model(model, batch_size=len(rows), length=1)
generator = np.random.default_rng(0)
token = np.tile(vocabulary.encode(" "), (len(rows), 1))
written = []
for _ in range(LENGTH):
    p = probabilities(writer(token).numpy()[:, 0].astype(float), rows)
    sums = p.cumsum(-1)
    u = generator.random((len(rows), 1)) * sums[:, -1:]
    token = (sums > u).argmax(-1)[:, None].astype(np.int32)
    written.append(token)
written = np.hstack(written).reshape(len(temperatures), TEXTS, LENGTH)
texts = [[vocabulary.decode(text) for text in each] for each in written]


def words_of(each):
    """All whole words of some texts: the last one may be cut off."""
    return [word for text in each for word in text.split()[:-1]]


def distinct_in_100(words):
    """Distinct words among 100 in a row, on average."""
    starts = range(0, len(words) - 99, 50)
    return np.mean([len(set(words[start : start + 100])) for start in starts])


distinct = np.array([distinct_in_100(words_of(each)) for each in texts])
known = np.array([np.mean([w in known_words for w in words_of(e)]) for e in texts])
distinct_people = distinct_in_100(people[: TEXTS * LENGTH].split())
for t, h, d, k in zip(temperatures, entropies, distinct, known, strict=True):
    print(f"T = {t:4}: {h:.2f} nats, {d:3.0f} distinct in 100 words, {k:4.0%} known")

# %%
# The picture: as the temperature rises, the entropy rises with it, the text becomes
# richer in words, and more of them are none (orange: not a word of the manual). The
# dashed line is the text that people wrote.

BLUE, ORANGE, GREY, INK = "#1f5fa8", "#d9622b", "#8a94a0", "#30363d"
plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "text.color": INK})
plt.rcParams.update({"axes.spines.right": False, "axes.labelcolor": INK})
figure, (upper, lower, sample) = plt.subplots(
    3, 1, figsize=(6.4, 8), layout="constrained", height_ratios=[2, 2, 2.2]
)
upper.plot(temperatures, entropies, "o-", color=BLUE)
upper.axhline(np.log(len(vocabulary)), color=GREY, linestyle="--")
upper.text(
    0.2, np.log(len(vocabulary)) - 0.1, "all characters equally likely", va="top"
)
upper.set(ylabel="entropy, nats", ylim=(0, np.log(len(vocabulary)) + 0.2))
upper.set_title("How undecided each choice is", loc="left")
lower.plot(temperatures, distinct, "o-", color=BLUE)
lower.text(2.02, distinct[-1], "distinct", color=BLUE, va="center")
lower.plot(temperatures, 100 * known, "s-", color=ORANGE)
lower.text(2.02, 100 * known[-1], "real", color=ORANGE, va="center")
lower.axhline(distinct_people, color=GREY, linestyle="--")
lower.text(1.3, distinct_people - 2, "distinct, in people's text", va="top")
lower.set(xlabel="temperature", ylabel="of 100 words", ylim=(0, 107), xlim=(0.1, 2.25))
upper.set_xlim(0.1, 2.25)
lower.set_title("How rich the text is, and how right", loc="left")
sample.axis("off")
sample.set(xlim=(0, 63), ylim=(9, -0.5))
for row, index in enumerate(np.searchsorted(temperatures, [0.2, 0.7, 1.0, 2.0])):
    sample.text(0, 2.4 * row, f"T = {temperatures[index]:g}", weight="bold")
    column, line = 0, 2.4 * row + 0.8
    for word in texts[index][0].split():
        if column + len(word) > 62:
            column, line = 0, line + 0.7
            if line > 2.4 * row + 2:
                break
        colour = INK if word in known_words else ORANGE
        font = {"family": "monospace", "size": 10, "parse_math": False}
        sample.text(column, line, word, color=colour, **font)
        column += len(word) + 1
plt.show()

# %%
# Three ways to cut off the tail
# ------------------------------
# At temperature 1 each single unlikely character is rare, but there are many of them.
# Filters cut them off. Sort the characters by probability and draw each as a bar of
# width 1: then a probability is an *area*, and
#
# - *top-k* keeps the first :math:`k` bars: a cut by width,
# - *min-p* keeps the bars that reach a fraction of the highest one: a cut by height,
# - *top-p* keeps bars until their sum reaches :math:`p`: a cut by area.
#
# What is kept is then scaled up to sum to 1.


def top_k(p, k):
    return np.arange(len(p)) < k


def top_p(p, share):
    return p.cumsum() - p < share  # what stands before a bar leaves room for it


def min_p(p, share):
    return p >= share * p[0]


FILTERS = [
    ("top-k 3", top_k, 3, {"top_k": 3}),
    ("min-p 0.1", min_p, 0.1, {"min_p": 0.1}),
    ("top-p 0.8", top_p, 0.8, {"top_p": 0.8}),
]
p = probabilities(logits, 1.0)
# A place where the model is nearly sure, and one where it is not.
sure, unsure = (np.abs(entropy(p) - h).argmin() for h in (0.5, 2.3))
figure, panels = plt.subplots(
    3, 2, figsize=(6.4, 7), layout="constrained", sharey="col"
)
kept_bars, largest_difference = {}, 0.0
for column, place in enumerate([sure, unsure]):
    order = np.argsort(-p[place], kind="stable")
    bars = p[place][order]
    shown = vocabulary.decode(order[:14]).replace(" ", "␣").replace("\n", "⏎")
    for panel, (name, rule, value, setting) in zip(
        panels[:, column], FILTERS, strict=True
    ):
        kept = rule(bars, value)
        kept_bars[name, place] = kept.sum()
        # The project's sampler, at 2,000 numbers spread evenly from 0 to 1.
        chosen = [
            choose_token(logits[place].astype(np.float32), (i + 0.5) / 2_000, **setting)
            for i in range(2_000)
        ]
        drawn = np.bincount(chosen, minlength=len(p[place]))[order] / 2_000
        wanted = np.where(kept, bars, 0) / bars[kept].sum()
        largest_difference = max(largest_difference, np.abs(drawn - wanted).max())
        colours = np.where(kept[:14], BLUE, "#d5dae0")
        panel.bar(range(14), bars[:14], 0.94, color=colours)
        panel.set_xticks(range(14), shown, parse_math=False)
        panel.tick_params(axis="x", length=0)
        panel.set_title(
            f"{name} keeps {kept.sum()}, area {bars[kept].sum():.2f}",
            loc="left",
            fontsize=11,
        )
        if rule is top_k:
            panel.axvline(value - 0.5, color=ORANGE)
        elif rule is min_p:
            panel.axhline(value * bars[0], color=ORANGE)
    context = people[: place + 1][-12:].replace(" ", "␣").replace("\n", "⏎")
    panels[0, column].text(
        0.98,
        0.9,
        f"after “{context}”",
        transform=panels[0, column].transAxes,
        ha="right",
        va="top",
        parse_math=False,
    )
figure.supylabel("probability")
plt.show()

# %%
# top-k keeps three bars in both places: too many where the model is sure, too few where
# it is not. The other two look at the distribution.
#
# What we measured, held fast
# ---------------------------

assert (np.diff(entropies) > 0).all(), "the entropy rises with the temperature"
assert abs(slope / formula - 1) < 0.01, "its slope is the variance of the logits"
assert distinct[0] < 0.7 * distinct_people < distinct[-1], "cold repeats, hot does not"
assert known[0] > known[-1] + 0.3, "hot text has fewer real words"
one = list(temperatures).index(1.0)
assert abs(distinct[one] - distinct_people) < 15, "at 1 it is about as rich as people's"
assert kept_bars["top-k 3", sure] == kept_bars["top-k 3", unsure], "top-k is a width"
for name in ("min-p 0.1", "top-p 0.8"):
    assert kept_bars[name, sure] < kept_bars[name, unsure], f"{name} adapts"
assert largest_difference < 2e-3, "the project's sampler draws each bar by its area"

# %%
# Exercises
# ---------
# 1. What do temperature 0.01 and temperature 1,000 do? Predict the entropy of both,
#    then add them to ``temperatures``.
# 2. Let the writer use top-p 0.9 at temperature 1. Does the share of real words rise?
#    Does the number of distinct words fall as far as with temperature 0.7?
