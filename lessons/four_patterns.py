r"""
Four patterns, one cell
=======================

**Why does each task have its own pattern of inputs and outputs?**

A *recurrent cell* reads a sentence word by word. After each word it changes a vector,
its *state*: a memory of all words so far. The same cell can be arranged in four ways:

* one answer after each word, from the words so far: **next word**;
* one answer after the last word: **sentiment**;
* one answer for each word, from the words on both sides: **names**;
* read everything first, then write another sentence: **translation**.

**Prediction.** The pattern is no matter of taste. It follows from one question: *which
words must be known before an answer can be given?* With too few, the answers are
guesses. With too many, the task is cheating. Both can be measured.

Answers question 1 of a first course's homework: the second picture.
"""

# %%
# One sentence, four questions
# ----------------------------
# A small language of 2,304 sentences. *Jordan says the German film is not good* and
# *Jordan has a modern museum that is dull*: the first Jordan is a person, the second is
# a place, and only the word **after** the name tells which.
import collections
import itertools

import keras
import matplotlib.pyplot as plt
import numpy as np

import kerasseq as ks

keras.utils.set_random_seed(7)

names = "Jordan Georgia Paris Sydney Chelsea Austin".split()
kinds = {
    "German": "allemand",
    "modern": "moderne",
    "famous": "célèbre",
    "strange": "étrange",
}
nouns = {"film": "film", "novel": "roman", "museum": "musée", "concert": "concert"}
praise = {"good": "bon", "superb": "superbe", "charming": "charmant"}
blame = {"bad": "mauvais", "dull": "ennuyeux", "awful": "affreux"}

english, french, good, tags = [], [], [], []
for name, kind, noun, adjective, denied, person in itertools.product(
    names, kinds, nouns, praise | blame, (False, True), (False, True)
):
    before, after = ("says the", "is") if person else ("has a", "that is")
    no = "not " if denied else ""
    english.append(f"{name} {before} {kind} {noun} {after} {no}{adjective} .".split())
    good.append(int((adjective in praise) != denied))
    before, after = (f"selon {name} le", "") if person else (f"{name} a un", "qui ")
    verb = "n' est pas" if denied else "est"
    adjective = (praise | blame)[adjective]
    french.append(
        f"{before} {nouns[noun]} {kinds[kind]} {after}{verb} {adjective} .".split()
    )
    tags.append([1 if person else 2] + [0] * (len(english[-1]) - 1))


def to_ids(sentences, length):
    """Ids (N, length) of sentences, padded with full stops; and their words."""
    words = [".", *sorted({word for words in sentences for word in words} - {"."})]
    ids = {word: index for index, word in enumerate(words)}
    rows = [[ids[word] for word in sentence] for sentence in sentences]
    return keras.utils.pad_sequences(rows, length, padding="post"), np.array(words)


LENGTH = 11
source, words = to_ids(english, LENGTH)
target, french_words = to_ids(french, LENGTH)
tags = keras.utils.pad_sequences(tags, LENGTH, padding="post")
good = np.array(good)
lengths = np.array([len(sentence) for sentence in english])
order = np.random.default_rng(0).permutation(len(english))
train, test = order[:1600], order[1600:]
print(len(train), "sentences to learn from,", len(test), "others to test")

# %%
# The arrangements
# ----------------
# The cell is a GRU with 48 numbers of state. Only what is fed to it, and which of its
# states are used, changes. ``flip`` turns a sentence around, for a second cell that
# reads it from its end.
UNITS = 48


def cell(vectors, every_state=True, start=None):
    layer = ks.GRU(UNITS, return_sequences=every_state)
    return layer(vectors, initial_state=start)


def arrange(pattern, num_answers):
    inputs = [keras.Input((LENGTH,), dtype="int32")]
    x = keras.layers.Embedding(len(words), 16)(inputs[0])
    if pattern == "after each word":
        x = cell(x)
    elif pattern == "after the last word":
        x = cell(x, every_state=False)
    elif pattern == "from both sides":
        back = keras.ops.flip(cell(keras.ops.flip(x, axis=1)), axis=1)
        x = keras.layers.Concatenate()([cell(x), back])
    elif pattern == "read, then write":
        # The writer begins with the reader's last state, and sees it at each step (Cho
        # et al. 2014). While it learns, it is given the right words so far.
        inputs.append(keras.Input((LENGTH,), dtype="int32"))
        written = keras.layers.Embedding(num_answers, 16)(inputs[1])
        state = cell(x, every_state=False)
        seen = keras.layers.RepeatVector(LENGTH)(state)
        x = cell(keras.layers.Concatenate()([written, seen]), start=state)
    answers = keras.layers.Dense(num_answers)(x)
    return keras.Model(inputs, answers)


def learn(pattern, inputs, answers, num_answers, steps=150):
    """Train an arrangement, then give its answers' scores for the test sentences."""
    model = arrange(pattern, num_answers)
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    random = np.random.default_rng(1)
    for _ in range(steps):
        rows = random.choice(train, 64)
        model.train_on_batch([each[rows] for each in inputs], answers[rows])
    return model, model.predict_on_batch([each[test] for each in inputs])


# What the writer is given: the French words, one step late. 0 is the full stop.
given = np.pad(target[:, :-1], ((0, 0), (1, 0)))
following = np.pad(source[:, 1:], ((0, 0), (0, 1)))
whole = np.repeat(good[:, None], LENGTH, axis=1)

tasks = {
    "next word": ("after each word", [source], following, len(words)),
    "sentiment": ("after the last word", [source], good, 2),
    "names": ("from both sides", [source], tags, 3),
    "translation": ("read, then write", [source, given], target, len(french_words)),
}
# A translation has more to learn.
steps = {"next word": 150, "sentiment": 150, "names": 150, "translation": 400}
fitting = {task: learn(*tasks[task], steps[task]) for task in tasks}

for task, (model, _) in fitting.items():
    cells = [layer for layer in model.layers if isinstance(layer, ks.GRU)]
    print(
        f"{task:12} answers {model.output.shape[1:]!s:9} parameters of its cells: "
        + " + ".join(f"{layer.count_params():,}" for layer in cells)
    )

# %%
# The writer has no right words to be given when it is used: it is given its own.
model, _ = fitting["translation"]
written = np.zeros_like(given[test])
for step in range(LENGTH):
    best = model.predict_on_batch([source[test], written])[:, step].argmax(axis=-1)
    if step + 1 < LENGTH:
        written[:, step + 1] = best
written = np.concatenate([written[:, 1:], best[:, None]], axis=1)

# %%
# The four arrangements, with what they answered
# ----------------------------------------------
# A sentence that none of the models was trained on. Grey boxes are words read, blue
# dots are states, and what is written over them are the answers.
BLUE, ORANGE, GREY, INK = "#1f5fa8", "#d9622b", "#8a94a0", "#30363d"
plt.rcParams.update({"font.size": 11, "text.color": INK})
examples = [
    index
    for index, row in enumerate(test)
    if english[row][0] == "Jordan" and english[row][1] == "says" and lengths[row] == 9
]
row = examples[0]
shown = english[test[row]][:-1]


def draw(axes, title, read, answers, both=False):
    count = len(read)
    for step, word in enumerate(read):
        box = {"boxstyle": "round,pad=0.25", "fc": "#eceff2", "ec": "none"}
        axes.text(step, 0, word, ha="center", va="center", fontsize=10, bbox=box)
        arrow = {"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 4}
        axes.annotate("", (step, 0.95), (step, 0.3), arrowprops=arrow)
        if step:
            style = {"arrowstyle": "<|-|>" if both else "-|>", "color": BLUE, "lw": 1.6}
            axes.annotate("", (step, 1), (step - 1, 1), arrowprops=style)
        axes.plot(step, 1, "o", color=BLUE, markersize=9)
        if answers[step]:
            axes.annotate("", (step, 1.75), (step, 1.1), arrowprops=arrow)
            axes.text(step, 1.95, answers[step], ha="center", va="center",
                      fontsize=10, weight="bold", color=ORANGE)  # fmt: skip
    axes.set(xlim=(-0.6, 8.6), ylim=(-0.4, 2.3))
    axes.text(-0.55, 2.5, title, fontsize=12, color=INK)
    axes.axis("off")
    return count


guesses = words[fitting["next word"][1][row].argmax(axis=-1)][: len(shown)]
feeling = ["bad", "good"][fitting["sentiment"][1][row].argmax()]
entities = np.array(["·", "person", "place"])[
    fitting["names"][1][row].argmax(axis=-1)[: len(shown)]
]
translated = [word for word in french_words[written[row]] if word != "."]
blank = [""] * (len(shown) - 1)

figure, panels = plt.subplots(5, figsize=(6.4, 8.4))
draw(panels[0], "Next word: each answer knows the words so far", shown, guesses)
draw(
    panels[1], "Sentiment: one answer, which knows all words", shown, [*blank, feeling]
)
draw(panels[2], "Names: each answer knows both sides", shown, entities, both=True)
draw(panels[3], "Translation: first read it all ...", shown, [*blank, "state"])
draw(panels[4], "... then write, from the state and the word before",
     ["state", *translated[:-1]], translated)  # fmt: skip
figure.subplots_adjust(left=0.01, right=0.99, top=0.95, bottom=0.01, hspace=0.35)

# %%
# The same tasks in a pattern that does not fit
# ---------------------------------------------
# * *next word* from both sides: the model sees the word that it has to guess;
# * *sentiment* asked in the middle of the sentence, after the noun;
# * *names* from the words so far: the word that tells has not come yet;
# * *translation* word by word, the French word number 4 after the English word number
#   4: the noun has to be written before it was read.
unfitting = {
    "next word": learn("from both sides", *tasks["next word"][1:]),
    "sentiment": learn("after each word", [source], whole, 2),
    "names": learn("after each word", *tasks["names"][1:]),
    "translation": learn("after each word", [source], *tasks["translation"][2:], 400),
}

# %%
# How many answers are right? For names, only the names count; for translation, a
# sentence is right if all of it is. Nobody can know the next word of this language for
# certain: how often the best guess is right, given the words so far, can be counted.
inside = np.arange(LENGTH) < lengths[test, None] - 1


def right_words(scores):
    return (scores.argmax(axis=-1) == following[test])[inside].mean()


follow = collections.defaultdict(collections.Counter)
for sentence in english:
    for step in range(1, len(sentence)):
        follow[tuple(sentence[:step])][sentence[step]] += 1
ceiling = sum(max(counts.values()) for counts in follow.values())
ceiling /= sum(counts.total() for counts in follow.values())

is_good = good[test]
middle = 4  # the noun: "Jordan says the German film"
fits = {
    "next word": right_words(fitting["next word"][1]),
    "sentiment": np.mean(fitting["sentiment"][1].argmax(axis=-1) == is_good),
    "names": np.mean(fitting["names"][1][:, 0].argmax(axis=-1) == tags[test, 0]),
    "translation": np.mean((written == target[test]).all(axis=1)),
}
misfits = {
    "next word": right_words(unfitting["next word"][1]),
    "sentiment": np.mean(
        unfitting["sentiment"][1][:, middle].argmax(axis=-1) == is_good
    ),
    "names": np.mean(unfitting["names"][1][:, 0].argmax(axis=-1) == tags[test, 0]),
    "translation": np.mean(
        (unfitting["translation"][1].argmax(axis=-1) == target[test]).all(axis=1)
    ),
}

reasons = {
    "next word": "from both sides, sees the answer",
    "sentiment": "asked too early, a guess",
    "names": "only the words so far, a guess",
    "translation": "word by word, the noun comes too early",
}
figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
for place, task in enumerate(tasks):
    axes.barh(place - 0.19, fits[task], 0.34, color=BLUE)
    axes.barh(place + 0.19, misfits[task], 0.34, color=ORANGE)
    axes.text(0.01, place - 0.19, f"{tasks[task][0]}: {fits[task]:.0%}",
              va="center", color="white")  # fmt: skip
    narrow = misfits[task] < 0.9
    axes.text(misfits[task] * narrow + 0.01, place + 0.19,
              f"{reasons[task]}: {misfits[task]:.0%}", va="center",
              color=ORANGE if narrow else "white")  # fmt: skip
axes.plot([ceiling] * 2, [-0.45, 0.5], color=INK, lw=2)
axes.annotate("the best guess there is", (ceiling, -0.42), (ceiling + 0.06, -0.4),
              va="center", fontsize=10)  # fmt: skip
axes.set_yticks(range(4), list(tasks))
axes.invert_yaxis()
axes.set(xlim=(0, 1), xticks=(0, 0.5, 1), xticklabels=("0", "50% right", "100%"))
axes.spines[["top", "right", "left"]].set_visible(False)
axes.tick_params(axis="y", length=0)
axes.set_title("The pattern that fits, and one that does not", loc="left")

# %%
# What we measured
# ----------------
# A pattern says what is known when. A next word may not be seen. A sentiment can turn
# with the last word. A name is told by what follows. A translation has another length
# and another order, so that all of it is read before the first word is written.
assert abs(fits["next word"] - ceiling) < 0.03, "as good as guesses can be"
assert misfits["next word"] > ceiling + 0.3, "who sees the answer is too good"
assert fits["sentiment"] > 0.95 > 0.65 > misfits["sentiment"], "the end decides"
assert fits["names"] > 0.95 > 0.65 > misfits["names"], "the word after it decides"
assert fits["translation"] > 0.8 > 0.3 > misfits["translation"], "read first"

# %%
# Exercises
# ---------
# 1. Which pattern fits: the language of a sentence, a caption for a picture, the commas
#    missing in a text, captions of a speech while it is spoken? What must be known?
# 2. Let the model of names read ``flip(source)`` after each word. How many of the names
#    does it get right, and why is one cell enough here? Write a sentence for which
#    neither direction alone is enough.
