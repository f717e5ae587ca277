r"""
The straight path of an LSTM
============================

**Why is the cell state of an LSTM a nearly linear path for gradients?**

Look at how the memory goes from one step to the next:

.. math:: c_t = f_t\, c_{t-1} + i_t\, g_t

Its derivative is the forget gate, and what goes around through the output :math:`h`:

.. math:: \frac{\partial c_t}{\partial c_{t-1}} = f_t + \text{roads around}

There is no matrix and no tanh on the straight path: each unit of memory is multiplied
by its own forget gate, and that is all. A *GRU* has such a path, too, with its update
gate :math:`z`. But it has one state for both, memory and output:

.. math:: h_t = z_t\, h_{t-1} + (1 - z_t)\, \tilde h_t

and a deep network with *residual* connections, :math:`x_{l+1} = x_l + F(x_l)`, has a
path on which nothing at all is multiplied.

**Prediction.** If little is written to the memory, its Jacobian over T steps is close
to :math:`\prod_t f_t`, unit by unit. The GRU *leaks*: what it writes has to take the
place of what it remembers.

Answers questions 5 and 8 of a first course's homework: the first picture and the
second.
"""

# %%
# The product of the gates against the whole Jacobian
# ---------------------------------------------------
# An LSTM and a GRU, fed with noise, that both write about 5% of something new at each
# step. The LSTM's forget gate can stay open beside that, at sigmoid(6) = 0.9975; the
# GRU's update gate has to be at 0.95. A second LSTM writes a half of something new. The
# gates are computed from the weights; the Jacobian, with all that goes around, by
# TensorFlow. (Equal sequences, one for each unit: see *vanishing gradients*.)
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import kerasseq as ks

keras.utils.set_random_seed(1)
UNITS, SIZE, STEPS = 32, 4, 60
noise = np.random.default_rng(1).normal(size=(STEPS, SIZE)).astype("float32")


def build(kind, keep_bias=None, write_bias=None):
    layer = kind(UNITS, return_sequences=True, return_state=True)
    layer.build((None, None, SIZE))
    kernel, recurrent, bias = layer.get_weights()
    if kind is ks.LSTM:  # the order of the gates is input, forget, cell, output
        bias[:UNITS] = write_bias
        bias[UNITS : 2 * UNITS] = keep_bias
    elif kind is ks.GRU:  # update, reset, candidate
        bias[0, :UNITS] = keep_bias
    layer.set_weights([kernel, recurrent, bias])
    return layer


def keeping_gates(layer):
    """The gate by which the old memory is multiplied, (steps, units)."""
    kernel, recurrent, bias = layer.get_weights()
    before = np.pad(layer(noise[None])[0][0], ((1, 0), (0, 0)))[:-1]
    scores = noise @ kernel + before @ recurrent + np.atleast_2d(bias).sum(axis=0)
    first = UNITS if isinstance(layer, ks.LSTM) else 0
    return 1 / (1 + np.exp(-scores[:, first : first + UNITS]))


def jacobian(layer, steps):
    """The derivatives of the memory after some steps by the memory at the start."""
    states = [tf.zeros(shape) for shape in layer.state_shapes(UNITS)]
    with tf.GradientTape() as tape:
        tape.watch(states)
        _, *last = layer(
            tf.repeat(noise[None, :steps], UNITS, axis=0), initial_state=states
        )
        asked = tf.linalg.trace(last[-1])  # an LSTM's last state is c, a GRU's is h
    return tape.gradient(asked, states)[-1].numpy()


cells = {
    "LSTM": build(ks.LSTM, 6.0, -3.0),
    "LSTM, writing half": build(ks.LSTM, 6.0, 0.0),
    "GRU": build(ks.GRU, 3.0),
    "SimpleRNN": build(ks.SimpleRNN),
}
distances = np.array([1, 5, 10, 20, 30, 40, 50, 60])
whole = {
    name: [jacobian(layer, steps) for steps in distances]
    for name, layer in cells.items()
}
direct = {
    name: np.cumprod(keeping_gates(cells[name]), axis=0)[distances - 1]
    for name in ("LSTM", "LSTM, writing half", "GRU")
}

# %%
# Deep networks of 60 layers, with other weights in each: plain, :math:`x \leftarrow
# \tanh(Wx)`, and residual, :math:`x \leftarrow x + 0.1 \tanh(Wx)`.
dense = [
    keras.layers.Dense(
        UNITS, "tanh", kernel_initializer=keras.initializers.Orthogonal(seed=depth)
    )
    for depth in range(STEPS)
]


def deep_jacobian(depth, residual):
    start = tf.repeat(tf.random.stateless_normal((1, UNITS), (1, 2)), UNITS, axis=0)
    with tf.GradientTape() as tape:
        tape.watch(start)
        x = start
        for layer in dense[:depth]:
            x = x + 0.1 * layer(x) if residual else layer(x)
        asked = tf.linalg.trace(x)
    return tape.gradient(asked, start).numpy()


whole["residual"] = [deep_jacobian(depth, True) for depth in distances]
whole["plain"] = [deep_jacobian(depth, False) for depth in distances]


def size(matrix):
    """The mean size of what arrives of a kick to one unit."""
    return np.linalg.norm(matrix) / np.sqrt(UNITS)


sizes = {name: np.array([size(m) for m in of]) for name, of in whole.items()}
direct_sizes = {
    name: np.array([size(np.diag(row)) for row in of]) for name, of in direct.items()
}
direct_sizes["residual"] = np.ones(len(distances))
for name, values in sizes.items():
    path = f", direct path {direct_sizes[name][-1]:.3f}" if name in direct_sizes else ""
    print(f"{name:18} after 60: whole Jacobian {values[-1]:.3f}{path}")

BLUE, ORANGE, GREEN, PURPLE = "#1f5fa8", "#d9622b", "#1b7f5c", "#7b4fa3"
GREY, INK = "#8a94a0", "#30363d"
colors = {
    "LSTM, writing half": INK,
    "residual": BLUE,
    "LSTM": GREEN,
    "GRU": PURPLE,
    "plain": GREY,
    "SimpleRNN": ORANGE,
}
plt.rcParams.update(
    {"font.size": 11, "text.color": INK, "axes.titlesize": 12,
     "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY}
)  # fmt: skip
figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
for name, values in sizes.items():
    axes.semilogy(distances, values, color=colors[name], lw=2.5)
    if name in direct_sizes:
        axes.semilogy(distances, direct_sizes[name], "--", color=colors[name], lw=1.5)
# The names, moved apart where lines meet.
labels = {
    "LSTM, writing half": (61, 28, "LSTM,\nwriting half"),
    "residual": (61, 1.6, "residual net"),
    "LSTM": (61, 0.75, "LSTM"),
    "plain": (61, 0.15, "plain deep net"),
    "GRU": (61, 0.06, "GRU"),
    "SimpleRNN": (34, 0.0015, "SimpleRNN"),
}
for name, (right, height, label) in labels.items():
    axes.text(right, height, label, color=colors[name], va="center")
axes.set_ylim(1e-3, 60)
axes.set(xlabel="steps, or layers", xlim=(0, 78), xticks=(1, 20, 40, 60))
axes.set_title("What arrives of a kick: dashed, the direct path alone", loc="left")

# %%
# Nearly linear
# -------------
# A gradient is only about very small kicks. Now kick each unit of the memory by up to
# 5, and see what arrives 20 steps later, in units of what the gradient promises. On a
# linear path a kick of 2 does twice what a kick of 1 does.
FAR = 20
kicks = np.array([-5, -3, -2, -1, -0.01, 0, 0.01, 1, 2, 3, 5], "float32")


def arrivals(layer):
    """The mean of what arrives of each kick; equal to the kick on a linear path."""
    count = len(kicks) * UNITS
    states = [np.zeros(shape, "float32") for shape in layer.state_shapes(count)]
    states[-1] = np.concatenate([kick * np.eye(UNITS) for kick in kicks])
    states = [tf.constant(state, tf.float32) for state in states]
    sequences = tf.repeat(noise[None, :FAR], count, axis=0)
    last = layer(sequences, initial_state=states)[-1].numpy()
    last = last.reshape(
        len(kicks), UNITS, UNITS
    )  # kick, unit kicked, unit that changed
    change = last - last[5]
    promised = (change[6] - change[4]) / 0.02
    along = np.sum(change * promised, axis=(1, 2)) / np.sum(promised**2)
    return along


bent = {name: arrivals(cells[name]) for name in ("LSTM", "GRU", "SimpleRNN")}
figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
axes.plot(kicks, kicks, ":", color=INK, lw=1)
axes.text(0.2, -4.5, "dotted: exactly linear", fontsize=10)
for name, values in bent.items():
    axes.plot(kicks, values, "o-", color=colors[name], lw=2, markersize=4)
    height = values[-1] + {"GRU": 0.2, "LSTM": -0.2}.get(name, 0)
    axes.text(5.1, height, name, color=colors[name], va="center")
    print(f"{name:9} a kick of 5 arrives as if the gradient saw {values[-1]:.2f}")
axes.set(xlim=(-5.2, 7.2), xlabel="kick to a unit of memory", xticks=range(-5, 6))
axes.set_ylabel("what arrives 20 steps later,\nby what its gradient promises")
axes.set_title("The path through an LSTM's memory is nearly straight", loc="left")

# %%
# What we measured
# ----------------
# An LSTM's memory is the residual line of a network that is deep in time, with a valve
# on it. What the valves let through is nearly all that arrives, as long as little is
# written. Where much is written, there are roads around, through :math:`h` and the
# weights: they carry more, but they are neither straight nor safe. The GRU writes as
# much as the LSTM and has lost nearly all after 60 steps: it has one gate for both.
product, diagonal = direct["LSTM"][-1], np.diag(whole["LSTM"][-1])
print(f"unit by unit, within {np.abs(diagonal / product - 1).max():.0%}")
ratio = {name: sizes[name][-1] / direct_sizes[name][-1] for name in direct}
assert np.abs(diagonal / product - 1).max() < 0.3, (
    "unit by unit, the product of the gates"
)
assert 0.8 < ratio["LSTM"] < 1.5 < 3 < ratio["LSTM, writing half"], "roads around"
assert direct_sizes["LSTM"][-1] > 0.7 > 0.2 > direct_sizes["GRU"][-1], "the GRU leaks"
assert sizes["residual"][-1] > 1 > 5 * sizes["plain"][-1], (
    "a residual line loses nothing"
)
assert sizes["LSTM"][-1] > 10 * sizes["SimpleRNN"][-1], "no matrix, no power of it"
assert abs(bent["LSTM"][-1] - 5) < 0.8 < 1.5 < 5 - bent["SimpleRNN"][-1], (
    "nearly linear"
)

# %%
# Exercises
# ---------
# 1. Set the biases of the LSTM to those of a GRU that writes 5%: 3 to keep, -3 to
#    write. What do you expect of the dashed and of the full line?
# 2. Train the LSTM on the lamps of *vanishing gradients* and measure again. Which units
#    have the longest straight paths?
