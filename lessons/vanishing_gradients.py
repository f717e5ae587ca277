r"""
Vanishing and exploding gradients
=================================

**Why does a simple recurrent network not learn what lies far back?**

Let the state :math:`h_0` change a little. How much does :math:`h_T` change, T steps
later? The answer is a matrix of derivatives, the *Jacobian*, and by the chain rule it
is a product with one factor for each step:

.. math:: \frac{\partial h_T}{\partial h_0} = \prod_{t=1}^{T}
   \frac{\partial h_t}{\partial h_{t-1}}

.. math:: \frac{\partial h_t}{\partial h_{t-1}} =
   \operatorname{diag}(1 - h_t^2)\, W^\top

Training needs this matrix: all that the loss at T says about step 0 passes through it.

**Prediction.** T factors of about the same size make a power. The size of :math:`W` in
a long product is its *spectral radius* :math:`\rho`, the largest absolute value of its
eigenvalues. So the norm of the Jacobian is about :math:`\rho^T`: on a logarithmic scale
a straight line with slope :math:`\ln \rho`. It vanishes below 1 and explodes above.

Answers questions 4 and 5 of a first course's homework: the first picture and the
second.
"""

# %%
# The Jacobian, measured
# ----------------------
# One backward pass gives the gradient of one number. So we run as many equal sequences
# as there are units: sequence number i is asked about unit i of its last state.
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import kerasseq as ks

keras.utils.set_random_seed(0)
UNITS, SIZE = 32, 4


def jacobian(layer, inputs):
    """The derivatives of the last output by all states before the first step."""
    sequences = tf.repeat(inputs[None], UNITS, axis=0)
    states = [tf.zeros(shape) for shape in layer.state_shapes(UNITS)]
    with tf.GradientTape() as tape:
        tape.watch(states)
        asked = tf.linalg.trace(layer(sequences, initial_state=states))
    return np.concatenate(tape.gradient(asked, states), axis=1)


def simple_rnn(radius):
    """A SimpleRNN with random recurrent weights of a given spectral radius."""
    layer = ks.SimpleRNN(UNITS)
    layer.build((None, None, SIZE))
    kernel, recurrent, bias = layer.get_weights()
    recurrent = np.random.default_rng(4).normal(size=recurrent.shape)
    recurrent *= radius / np.abs(np.linalg.eigvals(recurrent)).max()
    layer.set_weights([kernel, recurrent, bias])
    return layer


def gated(kind, gate_bias):
    """An LSTM or GRU whose gate for keeping the state starts at sigmoid(gate_bias)."""
    layer = kind(UNITS)
    layer.build((None, None, SIZE))
    kernel, recurrent, bias = layer.get_weights()
    if kind is ks.LSTM:
        bias[UNITS : 2 * UNITS] = gate_bias  # the order is input, forget, cell, output
    else:
        bias[0, :UNITS] = gate_bias  # update, reset, candidate
    layer.set_weights([kernel, recurrent, bias])
    return layer


# %%
# First without inputs: the state stays at zero, where tanh is a straight line, and the
# product is a pure power of :math:`W`.
distances = np.arange(10, 61, 10)
noise = np.random.default_rng(1).normal(size=(60, SIZE)).astype("float32")


def norms(layer, scale=0.0):
    return np.array(
        [np.linalg.norm(jacobian(layer, scale * noise[:T]), 2) for T in distances]
    )


def slope(values):
    """Of the logarithm, for a step, over the second half of the distances."""
    half = len(values) // 2
    return np.polyfit(distances[half:], np.log(values[half:]), 1)[0]


radii = 0.8, 1.0, 1.2
simple = {radius: norms(simple_rnn(radius)) for radius in radii}
for radius, values in simple.items():
    print(f"radius {radius}: slope {slope(values):+.3f}, ln {np.log(radius):+.3f}")
    assert abs(slope(values) - np.log(radius)) < 0.03, "the slope is ln(radius)"

# %%
# Then with inputs. Now :math:`1 - h_t^2` is less than one, and every factor is smaller:
# even with a radius of 1.2 the gradient vanishes.
#
# LSTM and GRU have a *gate*, a number from 0 to 1 for each unit, by which the old state
# is multiplied at each step. It takes the place of the radius. Where it starts is up to
# us. Keras's LSTM starts at sigmoid(1) = 0.73: its gradient vanishes, too, if not as
# fast as :math:`0.73^T`, since some comes back through the output. At sigmoid(5) =
# 0.993 hardly anything is lost. (The LSTM's even grows a little, by roads around its
# memory: see *the straight path of an LSTM*.)
loud = norms(simple_rnn(1.2), scale=1.0)
lstm_default = norms(gated(ks.LSTM, 1.0))
lstm_open = norms(gated(ks.LSTM, 5.0), scale=1.0)
gru_open = norms(gated(ks.GRU, 5.0), scale=1.0)
print(f"radius 1.2, with inputs: slope {slope(loud):+.3f}")
print(f"LSTM, forget bias 1: slope {slope(lstm_default):+.3f}, ln 0.73 is -0.313")
print(f"LSTM and GRU, bias 5: {slope(lstm_open):+.3f} and {slope(gru_open):+.3f}")

BLUE, ORANGE, GREEN, PURPLE = "#1f5fa8", "#d9622b", "#1b7f5c", "#7b4fa3"
GREY, INK = "#8a94a0", "#30363d"
plt.rcParams.update(
    {"font.size": 11, "text.color": INK, "axes.titlesize": 12,
     "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY}
)  # fmt: skip
figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
lines = {
    "radius 1.2": (simple[1.2], ORANGE, "-"),
    "radius 1": (simple[1.0], ORANGE, "-"),
    "radius 0.8": (simple[0.8], ORANGE, "-"),
    "1.2, with inputs": (loud, ORANGE, "--"),
    "LSTM, forget bias 5": (lstm_open, GREEN, "-"),
    "LSTM, bias 1": (lstm_default, GREEN, "--"),
    "GRU, bias 5": (gru_open, PURPLE, "-"),
}
places = dict.fromkeys(lines, 1.0)
places |= {"radius 1": 2.2, "GRU, bias 5": 0.35, "LSTM, forget bias 5": 1.0}
for name, (values, color, style) in lines.items():
    axes.semilogy(distances, values, style, color=color, lw=2)
    axes.text(61, values[-1] * places[name], name, color=color, va="center")
for radius in radii:
    start = simple[radius][-1] / radius ** distances[-1]
    axes.semilogy(distances, start * radius**distances, ":", color=INK, lw=1)
axes.axhline(1, color=GREY, lw=0.8, zorder=0)
axes.set(xlim=(8, 84), xticks=range(10, 61, 10), xlabel="steps T")
axes.set_title(
    "What is left of a gradient after T steps: norm of the Jacobian", loc="left"
)
axes.text(10, 1e5, "dotted: straight lines\nof slope ln(radius)", fontsize=10, va="top")

# %%
# A bit to remember for 10, 50 and 200 steps
# ------------------------------------------
# The first step shows one of two lamps. Then comes noise. At the end: which lamp was
# it? The LSTM's forget biases are spread so that its units forget after 1 to T steps
# (Tallec and Ollivier 2018; see *gates*). The SimpleRNN starts with a radius of 1, as
# Keras's does. Both take the same 120 steps of training. (At 50 steps it is a matter of
# luck: with some seeds the SimpleRNN learns it.)


def make_batch(random, distance, count=32):
    lamp = random.integers(0, 2, count)
    x = np.zeros((count, distance + 1, SIZE), "float32")
    x[..., 2:] = random.normal(size=(count, distance + 1, 2))
    x[np.arange(count), 0, lamp] = 1
    return x, lamp


def train(kind, distance, steps=120):
    keras.utils.set_random_seed(3)
    layer = kind(UNITS)
    model = keras.Sequential([layer, keras.layers.Dense(2)])
    model.build((None, distance + 1, SIZE))
    if kind is ks.LSTM:
        kernel, recurrent, bias = layer.get_weights()
        memory = np.random.default_rng(3).uniform(1, distance, UNITS)
        bias[UNITS : 2 * UNITS] = np.log(memory)
        bias[:UNITS] = -np.log(memory)
        layer.set_weights([kernel, recurrent, bias])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01, global_clipnorm=1.0), loss)
    random = np.random.default_rng(4)
    return np.array(
        [model.train_on_batch(*make_batch(random, distance)) for _ in range(steps)]
    )


far = 10, 50, 200
curves = {
    name: {distance: train(kind, distance) for distance in far}
    for name, kind in {"SimpleRNN": ks.SimpleRNN, "LSTM": ks.LSTM}.items()
}

figure, panels = plt.subplots(
    1, 3, figsize=(6.4, 3.2), sharey=True, layout="constrained"
)
for panel, distance in zip(panels, far, strict=True):
    panel.axhline(np.log(2), color=GREY, lw=1, ls=":")
    for name, color in {"SimpleRNN": ORANGE, "LSTM": GREEN}.items():
        smooth = np.convolve(curves[name][distance], np.ones(10) / 10, mode="valid")
        panel.plot(smooth, color=color, lw=2)
        print(f"{name:9} at distance {distance:3}: loss {smooth[-1]:.3f}")
    panel.set_title(f"{distance} steps later", loc="left")
    panel.set(xticks=(0, 100), ylim=(0, 0.9))
panels[0].set(ylabel="loss, nats", yticks=(0, 0.5))
panels[0].text(30, np.log(2) + 0.02, "a guess: ln 2", fontsize=10)
panels[1].set_xlabel("training step")
panels[2].text(108, 0.76, "SimpleRNN", color=ORANGE, ha="right")
panels[2].text(108, 0.1, "LSTM", color=GREEN, ha="right")

# %%
# What we measured
# ----------------
# Far back, the gradient of a SimpleRNN is a power: gone, or too large to use. What is
# gone cannot be learned, however long one trains, since all that is nearer is louder. A
# gate near one makes the base of the power nearly one. It is no magic: where the gate
# starts at 0.73, an LSTM forgets, too.
last = {name: {d: c[-20:].mean() for d, c in of.items()} for name, of in curves.items()}
assert slope(loud) < 0, "with inputs, the gradient vanishes at radius 1.2, too"
assert -0.33 < slope(lstm_default) < -0.08, "an LSTM's gradient can vanish, too"
assert max(abs(slope(lstm_open)), abs(slope(gru_open))) < 0.07, "an open gate keeps it"
assert last["SimpleRNN"][10] < 0.2, "ten steps back can be learned"
assert last["SimpleRNN"][200] > 0.55, "two hundred cannot"
assert max(last["LSTM"].values()) < 0.3, "the LSTM learns all three"

# %%
# Exercises
# ---------
# 1. Predict the slope for a SimpleRNN with :math:`W = 0.9\,I`, and of one whose
#    :math:`W` has ones above its diagonal and nothing else (its radius is 0). Measure
#    both with ``jacobian``.
# 2. Leave the LSTM's biases as Keras starts them. At which distance does it stop to
#    learn? Compare it with the half-life of its forget gate, :math:`\ln 2 / 0.313`.
