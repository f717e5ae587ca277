r"""
Why does attention divide by a root?
====================================

Attention compares queries and keys by their product, and divides it by the root of
their size :math:`D` before the softmax:

.. math:: \text{weights} = \text{softmax}\left(\frac{q \cdot k}{\sqrt{D}}\right)

**The question.** What goes wrong without :math:`\sqrt{D}`? It is only a constant: could
the projections not learn it?

**Predict.** The elements of a query and of a key are about as large as random numbers
of variance 1. How large is their product in size 4, and how large in size 1024? What
does a softmax make of such numbers, and what gradient does it pass on?

Answers questions 11 and 12 of a first course's homework: the first picture shows what
the root does to the weights, the second what it does to a training.
"""

import keras
import matplotlib.pyplot as plt
import numpy as np

import kerasseq as ks

keras.utils.set_random_seed(2)
plt.rcParams.update(
    {
        "font.size": 12,
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)
INK, BLUE, ORANGE = "#30363d", "#1f5fa8", "#d9622b"

# %%
# How large is a product?
# -----------------------
# A product of two vectors is a sum of D terms. Each term has mean 0 and variance 1, and
# variances add up. So the product has variance D, and its usual size is the root of D.
# Divided by that root, its variance is 1 for every D. We measure it on 1000 queries of
# 16 keys each.

SIZES = [4, 16, 64, 256, 1024]
KEYS = 16
generator = np.random.default_rng(0)


def attend(query, key, scaled):
    """Attention, with its division by the root of D or without it."""
    if not scaled:
        query = query * query.shape[-1] ** 0.5  # cancels the root
    return ks.scaled_dot_product_attention(query, key, key)


def gradient_norm(p):
    """Norm of the softmax's Jacobian, diag(p) - p p^T, for each row of weights."""
    jacobian = p[..., None] * (np.eye(KEYS) - p[..., None, :])
    return np.linalg.norm(jacobian, axis=(-2, -1))


variance, entropy, gradient, ranked = {}, {}, {}, {}
for size in SIZES:
    query = generator.standard_normal((1000, 1, size)).astype("float32")
    key = generator.standard_normal((1000, KEYS, size)).astype("float32")
    for scaled in (True, False):
        attention = attend(query, key, scaled)
        weights = attention.weights.numpy()[:, 0].astype("float64")  # (1000, 16)
        at = scaled, size
        variance[at] = attention.scores.numpy().var()
        entropy[at] = -(weights * np.log(weights + 1e-30)).sum(-1).mean()
        gradient[at] = gradient_norm(weights).mean()
        ranked[at] = np.sort(weights)[:, ::-1].mean(0)  # largest weight first
        print(
            f"D {size:4}, {'scaled' if scaled else 'not   '}: variance "
            f"{variance[at]:7.2f}, entropy {entropy[at]:.2f} of {np.log(KEYS):.2f}, "
            f"gradient {gradient[at]:.3f}"
        )
    assert abs(variance[True, size] - 1) < 0.1, "divided: variance 1 at every size"
    assert abs(variance[False, size] / size - 1) < 0.1, "not divided: variance D"

figure, axes = plt.subplot_mosaic("AB;CC", figsize=(6.4, 6), sharey=False)
axes["B"].sharey(axes["A"])
shades = plt.get_cmap("plasma_r")(np.linspace(0.2, 0.9, len(SIZES)))
for panel, scaled in (("A", True), ("B", False)):
    for size, shade in zip(SIZES, shades, strict=True):
        axes[panel].plot(range(1, KEYS + 1), ranked[scaled, size], color=shade, lw=2)
    axes[panel].set_xlabel("key, the best first", color=INK)
    axes[panel].set_ylim(0, 1)
axes["A"].set_title("divided by the root: all alike", size=12, color=INK)
axes["B"].set_title("not divided: one takes all", size=12, color=INK)
axes["A"].set_ylabel("mean weight", color=INK)
for row, (size, shade) in enumerate(zip(SIZES, shades, strict=True)):
    axes["B"].text(7, 0.9 - 0.1 * row, f"D = {size}", color=shade, weight="bold")
for scaled, color, text in ((True, BLUE, "divided"), (False, ORANGE, "not divided")):
    heights = [gradient[scaled, size] for size in SIZES]
    axes["C"].plot(SIZES, heights, "o-", color=color, lw=2)
    axes["C"].text(1150, heights[-1], text, color=color, va="center")
axes["C"].set_xscale("log", base=2)
axes["C"].set_xticks(SIZES, SIZES)
axes["C"].minorticks_off()
axes["C"].set_xlim(3.5, 4000)
axes["C"].set_ylim(0, 0.36)
axes["C"].set_xlabel("size D of queries and keys", color=INK)
axes["C"].set_title(
    "what the softmax passes on: norm of its Jacobian", size=12, color=INK
)

# %%
# Without the root, the largest score of 16 is far above the next one when D is large.
# The softmax then gives nearly all weight to one key, whichever it is, and its entropy
# falls to zero. The derivative of weight :math:`i` by score :math:`j` is
#
# .. math:: \frac{\partial p_i}{\partial s_j} = p_i (\delta_{ij} - p_j),
#
# where :math:`\delta_{ij}` is 1 for :math:`i = j` and else 0. If one weight is 1 and
# the others are 0, this is zero for all i and j. The softmax is sure before it has
# learned anything, and no gradient tells the projections that it is wrong.
#
# A training that stalls
# ----------------------
# Eight friends sit around a table, each with one of four drinks, told in any order. The
# question is a friend, the answer the drink of the friend to the right. The query of
# the question has to learn which key to look for. Queries and keys have 64 elements of
# variance 1. We try three learning rates, so that nobody can say that the wrong one was
# chosen.

FRIENDS, DRINKS, D = 8, 4, 64
RATES = [0.003, 0.01, 0.03]


def make_examples(count):
    """One-hot names, drinks and questions, and the answers (B,)."""
    who = generator.permuted(np.tile(np.arange(FRIENDS), (count, 1)), axis=1)
    drink_of = generator.integers(DRINKS, size=(count, FRIENDS))
    asked = generator.integers(FRIENDS, size=(count, 1))
    drinks = np.take_along_axis(drink_of, who, 1)
    answers = np.take_along_axis(drink_of, (asked + 1) % FRIENDS, 1)[:, 0]
    return [
        np.eye(FRIENDS)[who],
        np.eye(DRINKS)[drinks],
        np.eye(FRIENDS)[asked],
    ], answers


def build(scaled):
    """Attention from the question to the names, which returns drinks."""
    names = keras.Input((FRIENDS, FRIENDS))
    drinks = keras.Input((FRIENDS, DRINKS))
    question = keras.Input((1, FRIENDS))
    unit = keras.initializers.RandomNormal(stddev=1.0)
    query = keras.layers.Dense(D, use_bias=False, kernel_initializer=unit)(question)
    key = keras.layers.Dense(D, use_bias=False, kernel_initializer=unit)(names)
    if not scaled:
        query = keras.layers.Rescaling(D**0.5)(query)  # cancels the root
    found = ks.scaled_dot_product_attention(query, key, drinks).output[:, 0]
    return keras.Model([names, drinks, question], keras.layers.Dense(DRINKS)(found))


class LossOfEachStep(keras.callbacks.Callback):
    """Keras's own history has one loss an epoch."""

    def on_train_begin(self, logs=None):
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])


examples, answers = make_examples(40_000)
curve = {}
for scaled in (True, False):
    for rate in RATES:
        keras.utils.set_random_seed(1)
        model = build(scaled)
        model.compile(
            keras.optimizers.Adam(rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        recorder = LossOfEachStep()
        model.fit(examples, answers, batch_size=100, verbose=0, callbacks=[recorder])
        # Keras reports the mean since the epoch began; the differences are the losses.
        mean = np.array(recorder.losses)
        step = np.arange(1, len(mean) + 1)
        each = np.diff(mean * step, prepend=0)
        curve[scaled, rate] = np.convolve(each, np.ones(20) / 20, "valid")
        print(scaled, rate, "loss at the end:", round(curve[scaled, rate][-1], 3))

figure, axes = plt.subplots(figsize=(6.4, 3.6))
for (scaled, rate), losses in curve.items():
    axes.plot(losses, color=BLUE if scaled else ORANGE, lw=2)
    if scaled:
        half = int((losses > 0.7).argmin())
        fastest = rate == RATES[-1]
        side = {"x": half - 8, "ha": "right"} if fastest else {"x": half + 8}
        axes.text(y=losses[half], s=f"{rate}", color=BLUE, **side)
axes.axhline(np.log(DRINKS), color=INK, lw=1, ls=":")
axes.text(395, 1.46, "not divided: no rate learns", color=ORANGE, ha="right")
axes.text(4, 0.3, "divided,\nat three\nlearning rates", color=BLUE)
axes.text(2, 1.24, "a guess: ln 4", color=INK)
axes.set(ylim=(0, 1.65), xlim=(0, 400))
axes.set_xlabel("step of the training", color=INK)
axes.set_ylabel("loss, nats", color=INK)

# %%
# The root is not there because the product "should" have variance 1. It is there
# because a softmax that is sure at the beginning cannot learn. Any constant that keeps
# the scores small would do: the root is the one that fits every D.
#
# What was measured
# -----------------

spread = [entropy[True, size] for size in SIZES]
assert max(spread) - min(spread) < 0.1, "divided: the entropy does not depend on D"
assert entropy[False, 1024] < 0.1 * entropy[True, 1024], (
    "not divided: it nearly vanishes"
)
assert gradient[False, 1024] < 0.3 * gradient[True, 1024], "and so does the gradient"
assert min(curve[True, rate][-1] for rate in RATES) < 0.3, "divided: it learns"
assert min(curve[False, rate].min() for rate in RATES) > 1.2, "not divided: it stalls"

# %%
# Exercises
# ---------
# 1. Divide by D instead of its root. What happens to the weights at D = 1024 before any
#    training, and does the training stall, too?
# 2. Let the unscaled model start from projections that are small: ``stddev=D **
#    -0.25``. Why does it learn now? What would you have to do again for each D?
