"""
Encoder, decoder, and what goes between them
============================================

A translator has two halves. The *encoder* reads the source, and makes a vector of each
of its steps. The *decoder* writes the target step by step. *Cross-attention* is what
goes between them: each step of the target asks a question (its query) of all steps of
the source (their keys and values).

**The question.** Where does a decoder look while it writes, and what if it cannot look?

**A prediction, before we measure.** To reverse a list, the decoder should look from the
last item to the first. To sort it, it should look at the smallest, then the next one.
And where German says *nine-and-sixty* for 69, it should read the 9 before the 6. A
decoder that cannot look, and gets only the mean of the source's vectors, knows what is
there but not in which order. It should still sort. Can it reverse?

Answers questions 16 and 17 of a first course's homework: why the decoder's own
attention is masked and cross-attention is not, and how cross-attention differs from
self-attention (first and second picture: where it looks; third picture: without it).
"""

# %%
# Four tasks for one translator
# -----------------------------
# A source is a few digits, and the first word of a target says what is done with them.
# Lists of eight are reversed or sorted; numbers below a thousand are written in English
# or German words. A fifth of the numbers is held out, and of 1.8 million lists of
# digits hardly any comes twice.

import re

import keras
import matplotlib.pyplot as plt
import numpy as np

import kerasseq as ks
from kerasseq.data.made_up_pairs import GERMAN, GERMAN_TENS, english, german
from kerasseq.layers.pre_norm_block import PreNormBlock
from kerasseq.layers.rms_norm import RMSNorm

PAD, END = 0, 1
TASKS = ["reverse", "sort", "English", "German"]
GERMAN_WORDS = sorted([*GERMAN, *GERMAN_TENS, "eins", "hundert", "und"], key=len)
GERMAN_PATTERN = re.compile("|".join(GERMAN_WORDS[::-1]))  # the longest word first
keras.utils.set_random_seed(5)
generator = np.random.default_rng(5)
numbers = generator.permutation(1000)


def example(task, held_out):
    """The words of a source, and of its target."""
    if task in ("reverse", "sort"):
        digits = [*map(str, generator.permutation(10)[:8])]
        return digits, [task, *(digits[::-1] if task == "reverse" else sorted(digits))]
    number = int(generator.choice(numbers[:200] if held_out else numbers[200:]))
    if task == "English":
        return [*str(number)], [task, *re.split("[ -]", english(number))]
    return [*str(number)], [task, *GERMAN_PATTERN.findall(german(number))]


def examples(count, held_out=False):
    return [example(TASKS[i % 4], held_out) for i in range(count)]


BATCH, STEPS = 64, 400
pairs = examples(BATCH * STEPS)
print(pairs[2:4])
words = ["", "END", *sorted({word for pair in pairs for s in pair for word in s})]
source_length, target_length = (
    max(map(len, side)) + 1 for side in zip(*pairs, strict=True)
)


def encode(sentences, length):
    """Ids (B, length): the words, `END` and padding."""
    rows = [[*map(words.index, sentence), END] for sentence in sentences]
    return np.array([row + [PAD] * (length - len(row)) for row in rows], np.int32)


# %%
# The two halves
# --------------
# The decoder's block has two attentions. In its *self-attention*, queries, keys and
# values come from the target, and a mask hides later steps, since these are not yet
# written. In its *cross-attention*, queries come from the target, but keys and values
# from the source. No mask hides any of that: all of the source is known.
#
# Our encoder is as simple as can be: a vector for each digit, plus one for its place.
# Real ones also let the steps of the source attend to one another; then a step's vector
# is no longer about one digit alone (see the second exercise).
#
# For comparison, a decoder without cross-attention gets one vector, the mean of the
# source's.


def build(one_vector):
    source = keras.Input((source_length,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    embedding = keras.layers.Embedding(
        len(words),
        64,
        embeddings_initializer=keras.initializers.RandomNormal(stddev=0.1),
    )
    positions = ks.SinusoidalPositions(16)
    mask = keras.ops.not_equal(source, PAD)
    memory = positions(embedding(source))
    if one_vector:
        memory, mask = keras.layers.GlobalAveragePooling1D(keepdims=True)(memory), None
    x, weights = PreNormBlock(1, 128)(
        positions(embedding(target)), memory=memory, memory_mask=mask
    )
    logits = keras.layers.Dense(len(words))(RMSNorm()(x))
    return keras.Model([source, target], [logits, weights])


def train(one_vector):
    model = build(one_vector)
    learner = keras.Model(model.input, model.output[0])
    config = ks.TrainingConfig(BATCH, target_length, STEPS, 1, 6e-3, optimizer="muon")
    ks.compile_for_training(learner, config)
    sources, targets = zip(*pairs, strict=True)
    source = encode(sources, source_length)
    target = encode(targets, target_length)
    inputs, target = target[:, :-1], target[:, 1:]
    learner.fit(
        [source, inputs],
        target,
        sample_weight=(target != PAD).astype(np.float32),
        batch_size=BATCH,
        verbose=0,
    )
    return model


def write(model, sources, tasks):
    """What each source becomes, step by step, and where each step looked (T, S)."""
    source = encode(sources, source_length)
    target = np.array([[words.index(task)] for task in tasks], np.int32)
    for _ in range(target_length - 1):
        logits, weights = model([source, target])
        following = keras.ops.argmax(logits[:, -1:], -1)  # the likeliest word
        target = np.concatenate([target, following], 1)
    texts = [[words[i] for i in row] for row in np.array(target)]
    texts = [text[: text.index("END")] if "END" in text else text for text in texts]
    return texts, np.array(weights)[:, 0]


model, blind = train(one_vector=False), train(one_vector=True)
held_out = examples(800, held_out=True)
sources, targets = zip(*held_out, strict=True)
tasks = [target[0] for target in targets]
written, looked = write(model, sources, tasks)
written_blind, _ = write(blind, sources, tasks)


def accuracy(texts):
    """The share of answers that are right from the first to the last word, by task."""
    right = np.array([a == b for a, b in zip(texts, targets, strict=True)])
    return right.reshape(-1, 4).mean(0)


right, right_blind = accuracy(written), accuracy(written_blind)
for task, one, other in zip(TASKS, right, right_blind, strict=True):
    print(f"{task:8} {one:4.0%} right, with one vector {other:4.0%}")

# %%
# Where it looks
# --------------
# A row is a step of the target, and its blue squares are the steps of the source that
# it looked at. Nobody told the decoder where to look: it learned that from the answers.

BLUE, ORANGE, GREY, INK = "#1f5fa8", "#d9622b", "#8a94a0", "#30363d"
plt.rcParams.update({"font.size": 11, "text.color": INK, "axes.labelcolor": INK})
figure, panels = plt.subplots(1, 2, figsize=(6.4, 3.7), layout="constrained")
for panel, index in zip(panels, (0, 1), strict=True):
    source, text = sources[index], written[index][1:]
    panel.imshow(
        looked[index, : len(text), : len(source)], vmin=0, vmax=1, cmap="Blues"
    )
    panel.set_xticks(range(len(source)), source)
    panel.set_yticks(range(len(text)), text)
    panel.tick_params(length=0)
    panel.xaxis.tick_top()
    panel.set_title(TASKS[index], loc="left")
panels[0].set_ylabel("written, from top to bottom")
figure.supxlabel("digits of the source", y=0.02, fontsize=11)
plt.show()

# %%
# The same number in two languages. The thicker a line, the more the written word looked
# at the digit above it. In German the lines cross: *neun-und-sechzig*.

shown = next(
    digits
    for digits, (task, *_) in held_out
    if task == "German" and len(set(digits)) == 3 and not {"0", "1"} & set(digits)
)
texts, weights = write(model, [shown, shown], TASKS[2:])
figure, panels = plt.subplots(2, 1, figsize=(6.4, 4.2), layout="constrained")
for panel, (task, *text), row in zip(panels, texts, weights, strict=True):
    above = np.linspace(0.2, 0.8, len(shown))
    below = np.linspace(0.1, 0.9, len(text))
    for x, digit in zip(above, shown, strict=True):
        panel.text(x, 1.1, digit, ha="center", size=17)
    for step, (x, word) in enumerate(zip(below, text, strict=True)):
        panel.text(x, -0.1, word, ha="center", va="top", size=13)
        for place, top in enumerate(above):
            weight = row[step, place]
            panel.plot(
                [x, top],
                [0, 1],
                color=BLUE,
                alpha=weight,
                linewidth=7 * weight,
                solid_capstyle="round",
            )
    panel.set(xlim=(0, 1), ylim=(-0.45, 1.4))
    panel.axis("off")
    panel.set_title(task, loc="left")
plt.show()

# %%
# How often is the digit where it should be? We count the steps at which the largest
# weight is on the digit that the rule of the task names. (The last digits of a sorted
# list need no look: they are what is left, and the decoder knows what it wrote.)


def places_by_rule(digits, task):
    """For each step of the target that stands for a digit, the place of that digit."""
    if task == "reverse":
        return {step: 7 - step for step in range(8)}
    if task == "sort":
        return {step: digits.index(digit) for step, digit in enumerate(sorted(digits))}
    if len(digits) < 3 or digits[1] in "01" or digits[2] == "0":
        return {}  # "fifteen" is one word for two digits
    return {0: 0, 2: 1, 3: 2} if task == "English" else {0: 0, 2: 2, 4: 1}


found = {task: [] for task in TASKS}
for digits, task, weights in zip(sources, tasks, looked, strict=True):
    for step, place in places_by_rule(digits, task).items():
        found[task].append(weights[step].argmax() == place)
by_rule = {task: np.mean(hits) for task, hits in found.items()}
print("the largest weight is where the rule says:", by_rule)

# %%
# Without cross-attention
# -----------------------
# The decoder that gets one vector knows the same words and the same grammar. A mean is
# the same for every order of the digits, so it can sort and cannot reverse.

figure, panel = plt.subplots(figsize=(6.4, 2.8), layout="constrained")
for row, (one, other) in enumerate(zip(right, right_blind, strict=True)):
    panel.plot([other, one], [row, row], color="#c9ced4", linewidth=4, zorder=1)
panel.scatter(right, range(4), 190, BLUE, zorder=2)
panel.scatter(right_blind, range(4), 60, ORANGE, marker="s", zorder=2)
panel.set_yticks(range(4), TASKS)
panel.text(right[0], -0.4, "with cross-attention", color=BLUE, ha="right")
panel.text(right_blind[0], -0.4, "with one vector", color=ORANGE)
panel.set(xlim=(-0.03, 1.03), ylim=(3.5, -0.8), xlabel="answers that are right")
panel.spines[["top", "right", "left"]].set_visible(False)
panel.tick_params(axis="y", length=0)
panel.set_title("What the decoder loses when it cannot look", loc="left")
plt.show()

# %%
# One attention is masked, and the other is not
# ---------------------------------------------
# We change the last word of a target, and nothing before it may change: the mask of the
# self-attention sees to that. Then we change the last digit of a source, and the first
# step does change: cross-attention sees the whole source at once.

source = encode([[*"31415926"]], source_length)
target = np.array([[words.index(word) for word in ("reverse", *"629514")]], np.int32)
other_target, other_source = target.copy(), source.copy()
other_target[0, -1] = other_source[0, 7] = words.index("8")
logits = model([source, target])[0].numpy()
of_other_target = model([source, other_target])[0].numpy()
of_other_source = model([other_source, target])[0].numpy()
masked = np.abs(of_other_target - logits)[0, :-1].max()
unmasked = np.abs(of_other_source - logits)[0, 0].max()
print(f"earlier steps change by {masked:.1f}, the first step by {unmasked:.1f}")

# %%
# What we measured, held fast
# ---------------------------

assert np.allclose(looked.sum(-1), 1, atol=1e-5), "weights are shares of one look"
assert by_rule["reverse"] > 0.9, "reversing looks from the last digit to the first"
assert by_rule["sort"] > 0.7, "sorting looks at the smallest, then at the next one"
assert by_rule["English"] > 0.8 and by_rule["German"] > 0.8, "German reads 9 before 6"
assert right.min() > 0.75, "with cross-attention it learns all four tasks"
assert right_blind[0] < 0.1, "a mean does not know the order"
assert right_blind[1] > right_blind[0] + 0.3, "but it knows what to sort"
assert masked == 0 < 0.1 < unmasked, "only the target's own attention is masked"

# %%
# Exercises
# ---------
# 1. Leave the positions out of the source (``embedding(source)`` alone). Which of the
#    four tasks can still be learned, and why?
# 2. Give the encoder a block of its own: ``memory, _ = PreNormBlock(1, 128)(memory,
#    mask=mask)``. Now one vector can reverse, too, and the first picture is blurred.
#    Where did the order go?
