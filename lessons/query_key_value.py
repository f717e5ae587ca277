r"""
What are query, key and value?
==============================

A dictionary in Python gives a value for a key, or nothing if the key is not there.
Attention is a dictionary that never says no: it compares what you ask, the *query*,
with every *key*, and gives a mean of all *values*, in which the best match counts most:

.. math:: \text{output} = \sum_s w_s v_s, \qquad
   w_s = \frac{\exp(q \cdot k_s / \sqrt{D})}{\sum_j \exp(q \cdot k_j / \sqrt{D})}

**The question.** Query, key and value are three projections of the same words. Why
three? Would one or two not do?

**Predict.** Eight friends sit around a table. You ask: "What does the one to the
*right* of Ann drink?" Let queries and keys share one projection. Which part of the
question gets lost?

Answers questions 10 and 11 of a first course's homework: the first picture shows what
each part of the formula does, the second why query, key and value are three.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

import kerasseq as ks

keras.utils.set_random_seed(1)
plt.rcParams.update({"font.size": 12, "figure.constrained_layout.use": True})
INK = "#30363d"

# %%
# A soft dictionary by hand
# -------------------------
# Six entries. Each key is a direction in the plane, each value a colour. We ask at
# every point of the plane: the arrow from the middle to that point is the query, and
# the colour that attention gives back is painted there.

colours = ["#0072B2", "#56B4E9", "#009E73", "#F0E442", "#E69F00", "#CC79A7"]
names = ["blue", "sky", "green", "yellow", "orange", "pink"]
angles = 2 * np.pi * np.array([0.02, 0.17, 0.31, 0.50, 0.66, 0.83])
keys = np.stack([np.cos(angles), np.sin(angles)], -1).astype("float32")  # (6, 2)
values = np.array([to_rgb(colour) for colour in colours], "float32")  # (6, 3)

line = np.linspace(-12, 12, 301, dtype="float32")
plane = np.stack(np.meshgrid(line, line), -1)  # a query at each point, (301, 301, 2)
picture = ks.scaled_dot_product_attention(plane, keys, values).output.numpy()

figure, axes = plt.subplots(figsize=(6.4, 6.2))
axes.imshow(
    picture, origin="lower", extent=(-12, 12, -12, 12), interpolation="bilinear"
)
for key, name in zip(keys, names, strict=True):
    arrow = {"arrowstyle": "-|>", "color": INK, "lw": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", 4 * key, (0, 0), arrowprops=arrow)
    ink = "white" if name == "blue" else INK
    axes.text(*(9.5 * key), name, ha="center", va="center", color=ink, size=15)
axes.set_title("A query at every point, a key at every arrow")
axes.set_axis_off()

# %%
# In the middle the query is zero, all weights are equal, and the answer is the mean of
# all colours. Far out the best key takes all the weight, and the soft dictionary is an
# ordinary one. Between two keys lies a mixture: this is why attention has a gradient
# and can be learned.

zero, far = np.zeros((1, 2), "float32"), 200 * keys
mean = ks.scaled_dot_product_attention(zero, keys, values).output.numpy()[0]
sure = ks.scaled_dot_product_attention(far, keys, values).output.numpy()

# %%
# It is learned: eight friends at a table
# ---------------------------------------
# Now nobody tells the keys. A *fact* is a friend and a drink: two one-hot vectors side
# by side. An example has eight facts in any order, one for each friend, and a question:
# one friend's name, without a drink. The answer is the drink of the friend to the
# right. The order around the table is always the same, but no fact states it: the
# projections must learn it.

friends = ["Ann", "Ben", "Cid", "Dan", "Eve", "Fay", "Gus", "Hal"]
F, DRINKS = len(friends), 5
generator = np.random.default_rng(0)


def make_examples(count):
    """Facts (B, 8, 13), questions (B, 1, 13) and answers (B,)."""
    who = generator.permuted(np.tile(np.arange(F), (count, 1)), axis=1)
    drink_of = generator.integers(DRINKS, size=(count, F))  # of each friend
    asked = generator.integers(F, size=count)
    drinks = np.take_along_axis(drink_of, who, 1)
    facts = np.concatenate([np.eye(F)[who], np.eye(DRINKS)[drinks]], -1)
    question = np.concatenate([np.eye(F)[asked], np.zeros((count, DRINKS))], -1)
    return facts, question[:, None], drink_of[np.arange(count), (asked + 1) % F]


def build(tie, size):
    """One attention with three projections, or with two of them tied."""
    facts = keras.Input((F, F + DRINKS))
    question = keras.Input((1, F + DRINKS))
    query = keras.layers.Dense(size, use_bias=False)
    key = keras.layers.Dense(size, use_bias=False)
    value = keras.layers.Dense(size, use_bias=False)
    if tie == "query = key":
        key = query
    if tie == "key = value":
        value = key
    found = ks.scaled_dot_product_attention(query(question), key(facts), value(facts))
    answer = keras.layers.Dense(DRINKS)(found.output[:, 0])
    return keras.Model([facts, question], answer), query, key


train, test = make_examples(30_000), make_examples(4_000)
accuracy, weights = {}, {}
for size in (3, 16):
    for tie in ("three projections", "query = key", "key = value"):
        model, query, key = build(tie, size)
        model.compile(
            keras.optimizers.Adam(0.015),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        model.fit(train[:2], train[2], batch_size=250, epochs=5, verbose=0)
        right = model.evaluate(test[:2], test[2], batch_size=1000, verbose=0)[1]
        person = np.eye(F, F + DRINKS, dtype="float32")  # a friend without a drink
        table = ks.scaled_dot_product_attention(query(person), key(person), person)
        accuracy[tie, size], weights[tie, size] = right, table.weights.numpy()
        print(f"{tie}, size {size}: {right:.1%} right")

# %%
# Query and key: who asks is not who answers
# ------------------------------------------
# Three projections answer every question. With one projection for query and key, half
# of the answers are wrong. The picture shows why: each row is a friend whom we ask
# about, each column a friend in the facts.

figure, both = plt.subplots(1, 2, figsize=(6.4, 3.9), sharey=True)
for axes, tie in zip(both, ("three projections", "query = key"), strict=True):
    axes.imshow(weights[tie, 16], cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(F), friends, size=9)
    axes.set_yticks(range(F), friends, size=11)
    axes.tick_params(length=0)
    axes.set_title(f"{tie}:\n{accuracy[tie, 16]:.0%} right", color=INK)
    axes.set_xlabel("... whose drink is read", color=INK)
    for row, column in np.argwhere(weights[tie, 16] > 0.15):
        weight = weights[tie, 16][row, column]
        ink = "white" if weight > 0.5 else INK
        text = f"{weight:.1f}".lstrip("0")
        axes.text(column, row, text, ha="center", va="center", color=ink, size=10)
both[0].set_ylabel("asked: to the right of ...", color=INK)

# %%
# With tied projections the score of Ann for Ben is the score of Ben for Ann: :math:`k_a
# \cdot k_b = k_b \cdot k_a`. Such an attention knows neighbours, but not left from
# right. Worse, :math:`k_a \cdot k_b` is at most the larger of :math:`k_a \cdot k_a` and
# :math:`k_b \cdot k_b`, so most friends listen to themselves, too. Three drinks come
# back, and which is which is lost. Guess the one named most. If all three differ, which
# they do in 12 of 25 cases, a third of the guesses is right. If the one asked for
# agrees with just one other (8 of 25) or all agree (1 of 25), each is:
#
# .. math:: \frac{12}{25} \cdot \frac{1}{3} + \frac{8}{25} + \frac{1}{25} = 52 \%
#
# That is a calculation on paper, before any training. Compare it with the picture.
#
# Key and value: how to find is not what to bring
# -----------------------------------------------
# With one projection for key and value nothing is lost in 16 elements: there is room
# for a name, to be found by, and a drink, to be read, side by side. In 3 elements the
# two get in each other's way, and three projections do not. So this tie costs room.

for size in (3, 16):
    print(
        size, {tie: f"{accuracy[tie, size]:.0%}" for tie, at in accuracy if at == size}
    )

# %%
# A set, not a sequence
# ---------------------
# The facts stood in any order. Attention does not see the order: shuffle the inputs of
# a self-attention, and the outputs are shuffled in the same way, but not changed. This
# is called permutation equivariance. It is why a dictionary needs no sorting, and why a
# text needs positions (the lesson about them shows how).

words = generator.standard_normal((1, 9, 32)).astype("float32")
shuffle = generator.permutation(9)
layer = ks.MultiHeadSelfAttention(num_heads=4, head_size=8)
outputs, _ = layer(words)
outputs_shuffled, _ = layer(words[:, shuffle])
change = abs(outputs_shuffled.numpy() - outputs.numpy()[:, shuffle]).max()
print(f"shuffled outputs differ by at most {change:.1e}")

# %%
# What was measured
# -----------------

assert np.allclose(mean, values.mean(0), atol=1e-6), "a zero query gives the mean"
assert np.allclose(sure, values, atol=1e-3), "a long query gives one value"
assert accuracy["three projections", 16] > 0.97, "three projections learn the table"
assert accuracy["three projections", 3] > 0.97, "also in three elements"
assert 0.4 < accuracy["query = key", 16] < 0.62, "tied queries and keys: 52 % at best"
assert accuracy["key = value", 16] > 0.97, "tied keys and values find room in 16"
assert accuracy["key = value", 3] < 0.9, "but not in 3"
assert change < 1e-5, "self-attention does not see the order"

# %%
# Exercises
# ---------
# 1. Change the question to "What does Ann drink?" (``asked`` instead of ``asked + 1``).
#    Which tie does no harm now? Say why before you run it.
# 2. Move the third key of the soft dictionary: multiply it by 3. Where do its colours
#    grow, and is it fair to call a long key a loud one?
