r"""
What are Add and Norm for?
==========================

A Transformer stacks the same block many times: attention, then a feed-forward layer.
The figure of the paper has a small box "Add & Norm" around each. *Add* is a residual
connection: the layer's input is added to its output. *Norm* is layer normalization:
each vector is brought to mean 0 and variance 1.

.. math::
   \text{neither: } f(x) \qquad \text{Add: } x + f(x) \qquad \text{Norm: } N(f(x))

.. math:: \text{post-norm: } N(x + f(x)) \qquad \text{pre-norm: } x + f(N(x))

**The question.** What does each do for a deep stack?

**Predict.** In a stack of 24 blocks, in which of the five ways does a gradient of
useful size reach every block? And which of the five learns?

Answers question 14 of a first course's homework: the first picture shows the gradients
of a stack that has not learned anything yet, the second which depths learn.
"""

from functools import partial

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import kerasseq as ks

plt.rcParams.update(
    {
        "font.size": 12,
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)
INK = "#30363d"
COLOURS = {
    "neither": "#8a94a0",
    "Add": "#E69F00",
    "Norm": "#CC79A7",
    "post-norm": "#009E73",
    "pre-norm": "#1f5fa8",
}

# %%
# One block, five ways
# --------------------
# A block is attention and then a feed-forward layer, of six matrices in all. The
# matrices of a whole stack lie in six arrays, so that a stack is one short loop. (The
# project's ``EncoderBlock`` is such a block in post-norm, its ``DecoderBlock`` one in
# pre-norm.)

C, T, V = 16, 8, 8  # model size, letters of a line, letters of the alphabet


def normalize(x):
    """Each vector with mean 0 and variance 1."""
    x = x - keras.ops.mean(x, -1, keepdims=True)
    return x / keras.ops.sqrt(keras.ops.mean(x**2, -1, keepdims=True) + 1e-6)


def attend(x, query, key, value, out):
    """Attention of a line to itself, with one head."""
    return ks.scaled_dot_product_attention(x @ query, x @ key, x @ value).output @ out


def feed_forward(x, expand, contract):
    return keras.ops.relu(x @ expand) @ contract


def wrap(way, function, x, *matrices):
    """A function with Add, Norm, both or neither."""
    if way == "neither":
        return function(x, *matrices)
    if way == "Add":
        return x + function(x, *matrices)
    if way == "Norm":
        return normalize(function(x, *matrices))
    if way == "post-norm":
        return normalize(x + function(x, *matrices))
    return x + function(normalize(x), *matrices)


def make_weights(depth):
    """The first layer's and the last layer's matrix, and six for all blocks."""
    keras.utils.set_random_seed(4)

    def matrices(rows, columns, *stack):
        scale = (2 / (rows + columns)) ** 0.5  # Glorot and Bengio 2010
        return keras.Variable(scale * keras.random.normal((*stack, rows, columns)))

    squares = [matrices(C, C, depth) for _ in range(4)]
    wide = [matrices(C, 2 * C, depth), matrices(2 * C, C, depth)]
    return [matrices(V, C), matrices(C, V), *squares, *wide]


def run(way, weights, letters):
    """Logits (B, T, V) for letters (B, T)."""
    first, last, *blocks = weights
    x = positions(keras.ops.take(first, letters, axis=0))
    for block in zip(*map(tf.unstack, blocks), strict=True):
        x = wrap(way, attend, x, *block[:4])
        x = wrap(way, feed_forward, x, *block[4:])
    return (normalize(x) if way == "pre-norm" else x) @ last


# %%
# The task is the easiest there is: say again the letter that you read. A stack only has
# to hand it on.

positions = ks.SinusoidalPositions(T)
crossentropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
lines = np.random.default_rng(0).integers(V, size=(60, 32, T)).astype("int32")


def gradient(way, weights, letters):
    """The loss, and its gradient with respect to each array of weights."""
    arrays = [each.value for each in weights]
    with tf.GradientTape() as tape:
        loss = crossentropy(letters, run(way, arrays, letters))
    return loss, [tf.convert_to_tensor(g) for g in tape.gradient(loss, arrays)]


# %%
# The gradient of each block, before any training
# -----------------------------------------------
# The gradient with respect to the weights of a block says how much this block learns in
# the first step. We take its norm for each block of stacks of 2 to 24 blocks.

DEPTHS = [2, 6, 12, 24]


def gradient_norms(way, depth):
    """The norm of the gradient of each block's six matrices, (depth,)."""
    _, (_, _, *blocks) = gradient(way, make_weights(depth), lines[0])
    return np.sqrt(sum((array.numpy() ** 2).sum((1, 2)) for array in blocks))


norms = {way: {n: gradient_norms(way, n) for n in DEPTHS} for way in COLOURS}
for way, of_depth in norms.items():
    ends = (
        f"{of_depth[24][0]:.1e} in the first of 24, {of_depth[24][-1]:.1e} in the last"
    )
    print(f"{way}: the gradient's norm is {ends}")

figure, panels = plt.subplots(2, 3, figsize=(6.4, 4.8), sharex=True, sharey=True)
for axes, (way, color) in zip(panels.flat, COLOURS.items(), strict=False):
    for depth in DEPTHS:
        axes.plot(range(1, depth + 1), norms[way][depth], color=color, lw=2)
        axes.plot(depth, norms[way][depth][-1], "o", color=color, ms=5)
    axes.axhspan(0.1, 10, color="#eef2f6", lw=0)
    axes.set_title(way, size=13, color=color, weight="bold")
    axes.set_yscale("log")
    axes.set_xticks([1, 12, 24])
    axes.minorticks_off()
panels[0, 0].set_ylabel("gradient norm", color=INK)
panels[1, 0].set_ylabel("gradient norm", color=INK)
panels[1, 1].set_xlabel("block", color=INK)
text = "One line for each\nstack of 2, 6, 12\nor 24 blocks.\n\nShaded: 0.1 to 10"
panels[1, 2].text(
    0, 0.5, text, transform=panels[1, 2].transAxes, va="center", color=INK
)
panels[1, 2].set_axis_off()

# %%
# * *Neither*: each function makes the vectors a little smaller on the way up, and the
#   gradient on the way down. It vanishes, as in an unrolled recurrent network.
# * *Add* alone: the sum grows from block to block, and the gradient with it. It
#   explodes.
# * *Norm*, post-norm and pre-norm: the gradient has the same size everywhere.
#
# So Norm alone would do? A gradient can have the right size and say nothing. We look at
# what comes out at the top: how much of it depends on the letter that was read, and how
# much is the same for all letters?

depends = {}
for way in COLOURS:
    logits = run(way, [each.value for each in make_weights(24)], lines[0]).numpy()
    logits = logits.reshape(-1, V).astype("float64")
    depends[way] = logits.var(0).sum() / (logits**2).mean(0).sum()
    print(f"{way}: {depends[way]:.2%} of the output depends on what was read")

neither, add = norms["neither"][24], norms["Add"][24]
pre, post = norms["pre-norm"][24], norms["post-norm"][24]
assert neither.max() < 1e-3, "neither: vanishing"
assert add[0] > 1e4, "Add alone: exploding"
assert max(pre) / min(pre) < 30, "pre-norm: alike from first to last"
assert max(post) / min(post) < 100, "post-norm: not far from it"
assert depends["Norm"] < 0.1, "Norm alone: all letters look alike"
assert depends["pre-norm"] > 0.25, "Add: the letter is still there"

# %%
# With Norm alone nearly nothing does: after 48 functions in a row, all letters look
# alike. With Add, the input of a block stays a part of its output, so that the letter
# is still there at the top. In post-norm, each norm makes that part a little smaller
# again.
#
# Which stacks learn?
# -------------------
# Each stack gets the same sixty steps, with clipped gradients.


def train(way, depth):
    """The loss at each step."""
    weights = make_weights(depth)
    optimizer = keras.optimizers.SGD(0.3, global_clipnorm=1.0)
    compiled = tf.function(partial(gradient, way, weights))
    losses = []
    for letters in lines:
        loss, gradients = compiled(letters)
        optimizer.apply(gradients, weights)
        losses.append(float(loss))
    return losses


curves = {}
for depth in (2, 24):
    for way in COLOURS:
        curves[way, depth] = train(way, depth)
        print(f"{way}, {depth} blocks: loss {curves[way, depth][-1]:.2f} at the end")

figure, panels = plt.subplots(1, 2, figsize=(6.4, 3.8), sharey=True)
for axes, depth in zip(panels, (2, 24), strict=True):
    for way, color in COLOURS.items():
        axes.plot(curves[way, depth], color=color, lw=2)
    axes.axhline(np.log(V), color=INK, lw=1, ls=":")
    axes.set_title(f"{depth} blocks", size=13, color=INK)
    axes.set_xlabel("step", color=INK)
panels[0].set_ylabel("loss, nats", color=INK)
panels[0].set_ylim(-0.1, 3)
for panel, x, y, way in (
    *((0, 37, 1.6, "neither"), (0, 34, 0.6, "Norm"), (0, 13, 0.18, "Add")),
    *((0, 22, 0.18, "post-norm"), (0, 43, 0.18, "pre-norm"), (1, 15, 1.85, "neither")),
    *((1, 32, 1.85, "Norm"), (1, 43, 1.85, "post-norm"), (1, 20, 0.3, "pre-norm")),
    (1, 20, 2.75, "Add"),
):
    panels[panel].text(x, y, way, color=COLOURS[way])
panels[1].text(28, 2.75, "is far above", color=COLOURS["Add"])

# %%
# With two blocks, all ways learn. With 24, only pre-norm does in sixty steps.
# Post-norm, the way of the first Transformer, has gradients as good as pre-norm's, but
# it is slow: it was trained with a learning rate that rises from zero, the *warm-up*.
# Xiong et al. 2020, "On Layer Normalization in the Transformer Architecture", compare
# the two.
#
# What was measured
# -----------------

for way in COLOURS:
    assert curves[way, 2][-1] < 1.6, "two blocks learn in any way"
assert curves["pre-norm", 24][-1] < 0.5, "24 blocks learn in pre-norm"
for way in ("neither", "Add", "Norm"):
    assert curves[way, 24][-1] > 1.5, "and without Add and Norm they do not"

# %%
# Exercises
# ---------
# 1. Give post-norm a smaller learning rate, or one that rises over the first steps.
#    From which on does it learn with 24 blocks?
# 2. Multiply each function of "Add" by 0.1 before it is added. Which way does this
#    replace, and why? (The lesson about the LSTM's straight path does the same.)
