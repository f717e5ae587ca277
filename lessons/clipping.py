r"""
Clipping: a cure for one of two
===============================

**What does gradient clipping cure, and what does it not?**

*Clipping by norm* looks at the length of the whole gradient. If it is above a limit
:math:`c`, the gradient is shortened to the limit; its direction stays:

.. math:: g \;\leftarrow\; g \cdot \min\left(1, \frac{c}{\lVert g \rVert}\right)

**Prediction.** A gradient that explodes tells the right direction and a useless
distance. Clipping mends the distance, so that it cures explosions. A gradient that
vanishes is another matter: the part that comes from far back is small *beside* the part
from nearby. Clipping multiplies both by one number, and nothing is cured.

Answers question 6 of a first course's homework: the first picture, and the second.
"""

# %%
# Explosions
# ----------
# A SimpleRNN reads 40 numbers near zero and one lamp, which it has to name 8 steps
# later, at the end. Its recurrent weights start with a spectral radius of 1.6:
# gradients grow on their way back (see *vanishing gradients*). Stochastic gradient
# descent, with and without clipping to a norm of 1, from the same weights and with the
# same batches.
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import kerasseq as ks

UNITS, STEPS = 32, 40


def make_batch(random, distance, count=32, length=STEPS):
    lamp = random.integers(0, 2, count)
    x = np.zeros((count, length, 3), "float32")
    x[..., 2] = 0.1 * random.normal(size=(count, length))
    x[np.arange(count), length - 1 - distance, lamp] = 1
    return x, lamp


def build(radius):
    keras.utils.set_random_seed(6)
    layer = ks.SimpleRNN(UNITS)
    model = keras.Sequential([layer, keras.layers.Dense(2)])
    model.build((None, STEPS, 3))
    kernel, recurrent, bias = layer.get_weights()
    recurrent = np.random.default_rng(4).normal(size=recurrent.shape)
    recurrent *= radius / np.abs(np.linalg.eigvals(recurrent)).max()
    layer.set_weights([kernel, recurrent, bias])
    return model


def train(radius, limit, distance, steps=250):
    """Norms of the gradients as they come, of the steps that are taken, and losses."""
    model = build(radius)
    optimizer = keras.optimizers.SGD(0.1, global_clipnorm=limit)
    weights = model.trainable_variables
    optimizer.build(weights)

    @tf.function
    def step(x, lamp):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(lamp, model(x))
            )
        gradients = tape.gradient(loss, weights)
        before = [tf.identity(weight) for weight in weights]
        optimizer.apply(gradients, weights)
        taken = [(old - new) / 0.1 for old, new in zip(before, weights, strict=True)]
        return tf.linalg.global_norm(gradients), tf.linalg.global_norm(taken), loss

    random = np.random.default_rng(3)
    rows = [step(*map(tf.constant, make_batch(random, distance))) for _ in range(steps)]
    return np.array(rows).T


free, clipped = train(1.6, None, 8), train(1.6, 1.0, 8)
for name, (norms, taken, losses) in {"without": free, "clipped": clipped}.items():
    print(
        f"{name}: gradients up to {norms.max():.0f}, steps up to {taken.max():.2f}, "
        f"last loss {losses[-50:].mean():.3f}"
    )

BLUE, ORANGE, GREY, INK = "#1f5fa8", "#d9622b", "#8a94a0", "#30363d"
plt.rcParams.update(
    {"font.size": 11, "text.color": INK, "axes.titlesize": 12,
     "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY}
)  # fmt: skip


def smooth(values):
    return np.convolve(values, np.ones(10) / 10, mode="valid")


figure, (upper, lower) = plt.subplots(
    2, figsize=(6.4, 5.4), sharex=True, layout="constrained"
)
upper.semilogy(free[0], ".", color=ORANGE, markersize=4)
upper.semilogy(clipped[0], ".", color=GREY, markersize=4)
upper.semilogy(clipped[1], ".", color=BLUE, markersize=4)
upper.text(125, 8, "without clipping", color=ORANGE)
upper.text(36, 22, "clipped, as it came ...", color=INK)
upper.text(125, 0.0017, "... and as the step was taken", color=BLUE)
upper.set_ylim(1e-3, 100)
upper.set_title("Norm of the gradient", loc="left")
lower.plot(smooth(free[2]), color=ORANGE, lw=2)
lower.plot(smooth(clipped[2]), color=BLUE, lw=2)
lower.axhline(np.log(2), color=GREY, lw=1, ls=":")
lower.text(250, np.log(2) - 0.03, "a guess: ln 2", ha="right", va="top")
lower.text(125, 0.86, "without clipping: thrown off", color=ORANGE, ha="center")
lower.text(60, 0.05, "clipped: learned", color=BLUE)
lower.set(xlabel="training step", ylim=(0, 1.05))
lower.set_title("Loss, nats", loc="left")

# %%
# Why it does not cure vanishing
# ------------------------------
# Now with a radius of 0.8. We give each step a copy of the recurrent weights (see
# *unrolling*), to see what part of the gradient each step adds, and let an optimizer
# with a limit that is far below the norm take one step.
layer = build(0.8).layers[0]
kernel, recurrent, bias = layer.get_weights()
readout = np.random.default_rng(5).normal(size=(UNITS, 2)).astype("float32")
x, lamp = make_batch(np.random.default_rng(1), STEPS - 1, count=64)
x[..., 2] *= 10  # so that the states of all steps are about as large


def parts_of_a_step(limit):
    copies = [keras.Variable(recurrent) for _ in range(STEPS)]
    with tf.GradientTape() as tape:
        state = tf.zeros((len(x), UNITS))
        for step, copy in enumerate(copies):
            state = tf.tanh(x[:, step] @ kernel + state @ copy.value + bias)
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(lamp, state @ readout)
        )
    gradients = tape.gradient(loss, [copy.value for copy in copies])
    # From zero, where the smallest steps are not lost by rounding.
    steps = [keras.Variable(np.zeros_like(recurrent)) for _ in copies]
    keras.optimizers.SGD(1.0, global_clipnorm=limit).apply(gradients, steps)
    return np.array([np.linalg.norm(step.numpy()) for step in steps])[::-1]


whole, cut = parts_of_a_step(None), parts_of_a_step(0.001)
# The first step has no state before it, so its copy has no gradient.
whole, cut = whole[:-1], cut[:-1]
factor = whole / cut
print(f"every part is divided by {factor.min():.3f} to {factor.max():.3f}")
print(f"30 steps back against the last step: {whole[30] / whole[0]:.1e} before")
print(f"and {cut[30] / cut[0]:.1e} after")

back = np.arange(STEPS - 1)
figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
axes.vlines(back, cut, whole, color="#dfe3e8", lw=2)
axes.semilogy(back, whole, "o", color=ORANGE, markersize=5)
axes.semilogy(back, cut, "o", color=BLUE, markersize=5)
axes.text(8, whole[2], "as it came", color=ORANGE, va="center")
axes.text(0, cut[26], "clipped: everything\nby the same factor", color=BLUE)
axes.set(xlabel="steps back from the answer")
axes.set_title("What each step adds to the gradient of W", loc="left")

# %%
# So what is far stays unheard, whatever the limit. Three trainings that have to name a
# lamp that was shown 39 steps ago:
far = {limit: train(0.8, limit, STEPS - 1)[2] for limit in (None, 1.0, 0.01)}
for limit, losses in far.items():
    print(f"limit {limit}: loss {losses[-50:].mean():.3f}, a guess is {np.log(2):.3f}")

# %%
# What we measured
# ----------------
# An explosion is too long a step in a good direction: clipping shortens it, and the
# same training that was thrown off learns. In a vanished gradient the direction itself
# knows nothing of what is far. That takes another path for the gradient: see *the
# straight path of an LSTM*. kerasseq clips every training, by
# ``TrainingConfig.clip_norm``.
assert free[0].max() > 10, "the gradient explodes"
assert clipped[1].max() < 1.01, "no step is longer than the limit"
assert clipped[2][-50:].mean() < 0.1, "with clipping, the lamp is learned"
assert free[2][-50:].mean() > 0.5, "without, it is not"
assert factor.min() > 10 and np.ptp(factor) / factor[0] < 0.01, (
    "one factor for all parts"
)
assert whole[30] < 1e-3 * whole[0], "the far part has vanished"
assert min(losses[-50:].mean() for losses in far.values()) > 0.65, "no limit helps"

# %%
# Exercises
# ---------
# 1. Clip each number of the gradient to -0.1 to 0.1 (``clipvalue``) instead of the
#    norm. Does the direction stay? Measure the angle between the gradient and the step.
# 2. Replace the SimpleRNN by ``ks.LSTM`` with a forget bias of 5, and do the three
#    trainings again. Which of the limits can you leave out?
