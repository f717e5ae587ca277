r"""
How does attention know the order?
==================================

Attention compares every word with every other, wherever they stand: without help, a
text is a bag of words. Two kinds of help are common.

* *Sinusoidal positions* (2017) add to each word a vector that says where it stands:
  sines and cosines of the place :math:`p` at several speeds :math:`\omega_i`.
* *Rotary positions* (2021) add nothing. They turn each query and key, pair by pair of
  elements, by the angle :math:`p \, \omega_i`.

**The question.** Which questions about order can a model answer with each?

**Predict.** Is there an *a* in the line? Which letter came just before? Which letter is
the third of the line? Three models, of which one knows no positions, are asked all
three, and then once more on lines that are twice as long as those they learned from.

Answers questions 10 and 11 of a first course's homework: what the formula leaves out.
The first picture shows positions as the hands of clocks, the second who solves what.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np

import kerasseq as ks
from kerasseq.layers.positions import sinusoidal_positions
from kerasseq.layers.rotary import rotate

plt.rcParams.update({"font.size": 12, "figure.constrained_layout.use": True})
INK, BLUE, ORANGE = "#30363d", "#1f5fa8", "#d9622b"

# %%
# A position is a row of clocks
# -----------------------------
# A sine and a cosine of the same angle are a point on a circle, like the tip of a
# clock's hand. A vector of 32 elements is 16 clocks. The first hand turns fast and the
# last hardly moves: seconds, minutes, hours. No two places show the same time.

CLOCKS, SHOWN, PLACES = 16, 5, 12
table = sinusoidal_positions(200, 2 * CLOCKS)  # sine, cosine, sine, cosine, ...
sine, cosine = table[:, 0::2], table[:, 1::2]  # (200, 16) each

figure, axes = plt.subplots(figsize=(6.4, 3.3))
turn = np.linspace(0, 2 * np.pi, 60)
for clock in range(SHOWN):
    for place in range(PLACES):
        x, y = place, -clock
        axes.plot(x + 0.4 * np.cos(turn), y + 0.4 * np.sin(turn), color="#c9d1d9", lw=1)
        tip = x + 0.4 * sine[place, clock], y + 0.4 * cosine[place, clock]
        axes.plot([x, tip[0]], [y, tip[1]], color=BLUE, lw=2.5, solid_capstyle="round")
for place in (2, 7):
    axes.axvspan(place - 0.5, place + 0.5, color=ORANGE, alpha=0.15, lw=0)
axes.annotate(
    "", (7, 0.75), (2, 0.75), arrowprops={"arrowstyle": "-|>", "color": ORANGE, "lw": 2}
)
axes.text(
    4.5, 0.95, "five places on: the same turn from anywhere", color=ORANGE, ha="center"
)
axes.set_xticks(range(PLACES), range(PLACES))
axes.set_yticks([0, -4], ["fastest", "slower"])
axes.tick_params(length=0)
axes.set(
    xlim=(-0.6, 11.6), ylim=(-4.6, 1.5), aspect="equal", xlabel="place in the text"
)
axes.spines[:].set_visible(False)

# %%
# Five places on
# --------------
# To go five places on, turn each hand by five times its speed. That is a rotation, and
# the same one from everywhere:
#
# .. math:: \begin{pmatrix} \sin \omega (p + 5) \\ \cos \omega (p + 5) \end{pmatrix} =
#    \begin{pmatrix} \cos 5 \omega & \sin 5 \omega \\ -\sin 5 \omega & \cos 5 \omega
#    \end{pmatrix} \begin{pmatrix} \sin \omega p \\ \cos \omega p \end{pmatrix}
#
# So a projection can learn "five before": one matrix does it for all places. We check
# it.

speed = 10000.0 ** (-np.arange(CLOCKS) / CLOCKS)
c, s = np.cos(5 * speed), np.sin(5 * speed)
sine_on, cosine_on = c * sine + s * cosine, -s * sine + c * cosine
offset_error = max(
    abs(sine_on[:-5] - sine[5:]).max(), abs(cosine_on[:-5] - cosine[5:]).max()
)
print(f"turned by five and five places on differ by at most {offset_error:.1e}")

# %%
# Rotary positions use the same fact in the products. If the query is turned by :math:`p
# \omega` and the key by :math:`r \omega`, their product depends on the offset :math:`p
# - r` alone. All queries and keys are equal here, so that only the place counts: along
# each diagonal of the products the number is the same.

WINDOW = 64
generator = np.random.default_rng(0)
query, key = generator.standard_normal((2, 1, 16)).astype("float32")
queries, keys = (np.repeat(each, 48, 0) for each in (query, key))  # (48, 16)
products = (
    np.asarray(rotate(queries, 0, WINDOW)) @ np.asarray(rotate(keys, 0, WINDOW)).T
)
diagonals = [np.ptp(np.diagonal(products, offset)) for offset in range(-40, 41)]
print(f"along a diagonal, products differ by at most {max(diagonals):.1e}")
assert max(diagonals) < 1e-4 * np.ptp(products), "products depend on the offset alone"

# %%
# Three models, three questions
# -----------------------------
# One attention of four heads, Add & Norm, and a layer that answers. It reads the whole
# line: no mask hides the future, and so nothing but the positions tells the order.

LETTERS, SIZE, LENGTH = 8, 32, 12
QUESTIONS = ["an a?", "before", "third"]


def make_lines(count, length):
    """Letters (B, T), and three answers at each but the first, (B, T - 1)."""
    lines = generator.integers(1, LETTERS, size=(count, length))
    with_a = np.flatnonzero(generator.random(count) < 0.5)
    lines[with_a, generator.integers(length, size=len(with_a))] = 0
    shape = (1, length - 1)
    any_a = np.tile((lines == 0).any(1, keepdims=True), shape)
    return lines, [any_a, lines[:, :-1], np.tile(lines[:, 2:3], shape)]


class RotaryAttention(ks.MultiHeadSelfAttention):
    """Self-attention whose queries and keys are turned by their places."""

    def call(self, x):
        query = self.project_queries(x)
        key, value = self.project_keys_and_values(x)
        return self.attend(rotate(query, 0, WINDOW), rotate(key, 0, WINDOW), value)


def build(kind):
    """From letters (B, T) to the logits of three answers."""
    inputs = keras.Input((None,), dtype="int32")
    # Sinusoidal positions scale the letters up by the root of their size.
    scale = SIZE**-0.5 if kind == "sinusoidal" else 1.0
    normal = keras.initializers.RandomNormal(stddev=scale)
    x = keras.layers.Embedding(LETTERS, SIZE, normal)(inputs)
    if kind == "sinusoidal":
        x = ks.SinusoidalPositions(WINDOW)(x)
    attention = RotaryAttention if kind == "rotary" else ks.MultiHeadSelfAttention
    found, _ = attention(num_heads=4, head_size=16)(x)
    x = keras.layers.LayerNormalization()(x + found)
    x = keras.layers.Dense(128, "relu")(x)[:, 1:]
    answers = [keras.layers.Dense(size)(x) for size in (2, LETTERS, LETTERS)]
    return keras.Model(inputs, answers)


def right(model, lines, answers):
    """The share of right answers to each question, at the last eleven letters."""
    pairs = zip(model(lines), answers, strict=True)
    rights = [logits.numpy().argmax(-1) == answer for logits, answer in pairs]
    return [float(each[:, 1 - LENGTH :].mean()) for each in rights]


train = make_lines(32_000, LENGTH)
tests = [make_lines(1_000, LENGTH), make_lines(1_000, 2 * LENGTH)]
accuracy = {}
for kind in ("none", "sinusoidal", "rotary"):
    keras.utils.set_random_seed(1)
    model = build(kind)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 500)),
        [keras.losses.SparseCategoricalCrossentropy(from_logits=True)] * 3,
        jit_compile=False,
    )
    model.fit(*train, batch_size=64, verbose=0)
    accuracy[kind] = np.array([right(model, *test) for test in tests])
    print(kind, "in lines of 12, and beyond:", *accuracy[kind].round(2))

lines = tests[0][0]
counts = (lines[:, :, None] == np.arange(LETTERS)).sum(1)
guess = counts.max(1).mean() / LENGTH
print(f"the commonest letter of a line is at a given place in {guess:.0%} of the lines")

figure, panels = plt.subplots(1, 2, figsize=(6.4, 3.2), sharey=True)
titles = ["lines of 12 letters, as learned", "beyond the 12th letter"]
for test, (axes, title) in enumerate(zip(panels, titles, strict=True)):
    cells = np.array([accuracy[kind][test] for kind in accuracy])
    axes.imshow(cells, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(cells):
        ink = "white" if share > 0.6 else INK
        axes.text(
            column, row, f"{share:.0%}", ha="center", va="center", color=ink, size=14
        )
    axes.set_xticks(range(3), QUESTIONS)
    axes.set_yticks(range(3), ["no\npositions", "sinusoidal", "rotary"])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title, size=12, color=INK)

# %%
# Without positions a model solves what needs no order. For the rest it can only name
# the commonest letter of the line: a bag of letters holds no more.
#
# Sinusoidal positions tell where a letter stands. They solve all three questions, but
# "before" is learned for each place separately: beyond the twelfth letter, which the
# model never saw in training, it fails.
#
# Rotary positions tell how far apart two letters stand, and nothing else. "Before" is
# the same offset everywhere, also in a longer line. "Third" is another offset from each
# place, and a product that knows the offset alone cannot find it. In a text this is
# mostly no loss: which word came before matters, and which was the third hardly ever.
# Most of today's large models use rotary positions.
#
# What was measured
# -----------------

short, long = (
    {kind: dict(zip(QUESTIONS, accuracy[kind][i], strict=True)) for kind in accuracy}
    for i in range(2)
)
assert offset_error < 1e-5, "five places on is a rotation"
assert min(short[kind]["an a?"] for kind in short) > 0.97, "a bag needs no order"
for question in ("before", "third"):
    assert abs(short["none"][question] - guess) < 0.06, "without positions: a guess"
    assert short["sinusoidal"][question] > 0.9, "sinusoidal positions solve both"
assert short["rotary"]["before"] > 0.95, "rotary positions solve what came before"
assert short["rotary"]["third"] < 0.55, "but not what stands at a fixed place"
assert long["rotary"]["before"] > long["sinusoidal"]["before"] + 0.1, (
    "beyond 12 letters"
)

# %%
# Exercises
# ---------
# 1. Ask for the *first* letter instead of the third. Rotary positions solve it. How can
#    a score that knows only offsets point at the first letter? (The first letter is the
#    one furthest to the left.)
# 2. Give the model without positions a causal mask (``ks.causal_mask(12)``, as in the
#    lesson about masking), and a second attention. What does it learn about order now,
#    and from what?
