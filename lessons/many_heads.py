r"""
Why several heads?
==================

A *head* is one attention with projections of its own. Multi-head attention runs several
side by side, each on vectors of a fraction of the size, and adds up what they bring:

.. math:: \text{output} = \sum_h \text{softmax}\left(\frac{Q_h K_h^T}{\sqrt{D}}\right)
   V_h W_h

One head of size 32 costs as much as four heads of size 8.

**The question.** What can four narrow heads do that one wide head cannot? And who tells
each head what to look for?

**Predict.** At each letter of a line, a model must answer three questions: which letter
came just *before*? Which letter was the *first* of the line? And what did this *same*
letter carry, when it came up earlier? Which of them will one wide head answer?

Answers questions 13 and 15 of a first course's homework: the first picture shows which
relation each head found, the second what each head is needed for.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np

import kerasseq as ks

keras.utils.set_random_seed(1)
plt.rcParams.update({"font.size": 12, "figure.constrained_layout.use": True})
INK = "#30363d"

# %%
# Lines of letters
# ----------------
# A line has eight letters. The first time that a letter comes up, it carries a number;
# after that, a dot: ``a3 c1 a. b5 c. a.`` and so on. Who reads "a." must look back for
# the number.

LETTERS, NUMBERS, T = "abcdef", 5, 8
QUESTIONS = ["before", "first", "same"]
generator = np.random.default_rng(0)


def make_lines(count):
    """Letters and numbers, three answers, and where each letter came up first."""
    letters = generator.integers(len(LETTERS), size=(count, T))
    carried = generator.integers(NUMBERS, size=(count, len(LETTERS)))
    number = np.take_along_axis(carried, letters, 1)
    first_place = (letters[:, :, None] == letters[:, None, :]).argmax(-1)  # (B, T)
    shown = np.where(first_place == np.arange(T), number + 1, 0)
    before = np.roll(letters, 1, axis=1)
    first = np.repeat(letters[:, :1], T, axis=1)
    # The first letter of a line has none before it: it is not asked.
    answers = [answer[:, 1:] for answer in (before, first, number)]
    return [letters, shown], answers, first_place


train, train_answers, _ = make_lines(38_400)
test, test_answers, first_place = make_lines(1_000)
line = [LETTERS[i] + ".12345"[j] for i, j in zip(test[0][0], test[1][0], strict=True)]
print(*line)


def build(num_heads, head_size):
    """One attention, Add & Norm, and a layer that answers the three questions."""
    inputs = [keras.Input((T,), dtype="int32") for _ in range(2)]
    normal = keras.initializers.RandomNormal(stddev=32**-0.5)
    letters = keras.layers.Embedding(len(LETTERS), 32, normal)(inputs[0])
    numbers = keras.layers.Embedding(NUMBERS + 1, 32, normal)(inputs[1])
    x = ks.SinusoidalPositions(T)(letters + numbers)
    attention = ks.MultiHeadSelfAttention(num_heads, head_size, name="attention")
    found, weights = attention(x)
    x = keras.layers.LayerNormalization()(x + found)
    x = keras.layers.Dense(128, "relu")(x)[:, 1:]
    sizes = len(LETTERS), len(LETTERS), NUMBERS
    answers = [keras.layers.Dense(size)(x) for size in sizes]
    return keras.Model(inputs, answers), keras.Model(inputs, weights)


def losses(model):
    """The loss of each question on the test lines, in nats."""
    logits = model.predict(test, batch_size=500, verbose=0)
    crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    pairs = zip(test_answers, logits, strict=True)
    return np.array([float(crossentropy(*pair)) for pair in pairs])


loss, weights = {}, {}
for heads, size in ((1, 32), (4, 8)):
    keras.utils.set_random_seed(1)
    model, attention = build(heads, size)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 600)),
        [keras.losses.SparseCategoricalCrossentropy(from_logits=True)] * 3,
        jit_compile=False,
    )
    model.fit(train, train_answers, batch_size=64, verbose=0)
    loss[heads] = losses(model)
    weights[heads] = attention.predict(test, batch_size=500, verbose=0)  # (B, H, T, T)
    print(f"{heads} x {size}: losses {loss[heads].round(3)} nats, {QUESTIONS}")

# %%
# What did each head find?
# ------------------------
# Nobody told a head what to look for. We score each head for each relation: the weight
# that it puts on the letter before, on the first letter, and on the place where the
# same letter carried its number. The score is a mean over the places of all lines at
# which these are three different places.

where, places = np.nonzero((first_place > 0) & (first_place < np.arange(T) - 1))
rows = weights[4][where, :, places]  # (N, H, T)
targets = places - 1, 0 * places, first_place[where, places]
score = np.stack([rows[np.arange(len(rows)), :, s].mean(0) for s in targets], -1)
print("score, heads x relations:", *score.round(2), sep="\n")

figure, panels = plt.subplots(2, 2, figsize=(6.4, 6.6), sharex=True, sharey=True)
for head, axes in enumerate(panels.flat):
    clear = score[head].max() > 0.3
    relation = QUESTIONS[score[head].argmax()] if clear else "nothing clear,"
    axes.imshow(weights[4][0, head], cmap="Blues", vmin=0, vmax=1)
    axes.set_title(f"head {head}: {relation} {score[head].max():.2f}", color=INK)
    axes.set_xticks(range(T), line, size=11)
    axes.set_yticks(range(T), line, size=11)
    axes.tick_params(length=0)
panels[1, 0].set_xlabel("reads from", color=INK)
panels[0, 0].set_ylabel("letter", color=INK)

# %%
# The relation and the number over each head are those of its highest score. A diagonal
# just left of the middle is "before", a column at the left edge is "first". The head
# for "same" jumps: from each ``d.`` to ``d3``, where the number is.
#
# What is each head needed for?
# -----------------------------
# A high score shows where a head looks, not that the model needs it. So we remove one
# head at a time: its part of the last projection becomes zero (this is called an
# *ablation*). What the loss of each question grows by is what the head was needed for.

projection = model.get_layer("attention").merge.kernel  # (H, D, C)
kernel = projection.numpy()
cost = np.empty((4, 3))
for head in range(4):
    projection.assign(np.where(np.arange(4)[:, None, None] == head, 0, kernel))
    cost[head] = losses(model) - loss[4]
projection.assign(kernel)
print("cost in nats, heads x questions:", *cost.round(2), sep="\n")

guess = np.log([len(LETTERS), len(LETTERS), NUMBERS])  # nats, if nothing is known
figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.6), width_ratios=(1, 1.1))
left.imshow(cost, cmap="Oranges", vmin=0, vmax=2, aspect="auto")
for (head, question), value in np.ndenumerate(cost.round(1)):
    ink = "white" if value > 1.2 else INK
    left.text(question, head, f"{abs(value)}", ha="center", va="center", color=ink)
left.set_xticks(range(3), QUESTIONS)
left.set_yticks(range(4), [f"head {head}" for head in range(4)])
left.tick_params(length=0)
left.set_title("loss that a removed head costs", size=12, color=INK)
height = np.arange(3)[::-1]
right.barh(height + 0.2, loss[1], 0.36, color="#d9622b")
right.barh(height - 0.2, np.maximum(loss[4], 0.01), 0.36, color="#1f5fa8")
for y, value in zip(height, guess, strict=True):
    right.plot([value, value], [y - 0.42, y + 0.42], color=INK, ls=":")
right.text(guess[0] + 0.05, 2, "guess", color=INK, va="center")
right.text(0.05, 1.68, "four heads of 8", color="#1f5fa8", va="center")
right.text(
    loss[1][0] / 2, 2.2, "one head of 32", color="white", ha="center", va="center"
)
right.set_yticks(height, QUESTIONS)
right.tick_params(length=0)
right.set(xlim=(0, 2.7))
right.spines[["top", "right", "left"]].set_visible(False)
right.set_title("loss, nats", size=12, color=INK)

# %%
# One head has one set of weights for each letter. If it looks at three places at once,
# it brings back a mean of the three, and a mean does not say which came from where.
# Four heads keep them apart, although their vectors are four times smaller.
#
# The training shared out the work by itself: each question has one head, and its
# removal hardly hurts the others. Three heads would do. The fourth looks somewhere,
# too, but nothing happens without it. In large models many heads can be removed after
# training (Michel, Levy and Neubig 2019, "Are Sixteen Heads Really Better than One?").
#
# What was measured
# -----------------

assert loss[4].max() < 0.1, "four heads answer all three questions"
assert loss[1].sum() > 1, "one wide head does not"
needed = cost.argmax(0)
assert len(set(needed)) == 3, "each question needs a head of its own"
for question in range(3):
    assert cost[needed[question], question] > 0.5, "which it cannot do without"
    assert score[:, question].argmax() == needed[question], "and which looks there"
least, most = np.sort(cost.max(1))[[0, -1]]
assert least < most / 4, "and one head is hardly needed"

# %%
# Exercises
# ---------
# 1. Train with three heads, and with two. Which question does the model give up, and is
#    it the same one for every seed?
# 2. Remove two heads at a time. Is the cost of both the sum of the costs of each?
