r"""
Unrolling, and what the copies share
====================================

**How can one cell, used at every step, be trained like a deep network?**

A recurrent network uses the same weights at each step. *Unrolling* draws it as a deep
network with one layer for each step, in which all layers happen to have equal weights:

.. math:: h_t = \tanh(x_t\, U + h_{t-1} W + b)

To train it, we let the copies differ in thought, and ask each what change of **its**
weights would help. But there is only one :math:`W`, so that it gets all their advice.

**Prediction.** The gradient of the shared weights is the sum over the copies,

.. math:: \frac{\partial L}{\partial W} = \sum_{t=1}^{T} \frac{\partial L}{\partial W_t}

This is all that *backpropagation through time* means. Sharing also has a price: a cell
that does the same at every step does not know which step it is.

Answers questions 2 and 3 of a first course's homework: the first picture and the last.
"""

# %%
# One layer, and six copies of it
# -------------------------------
# The layer reads six steps of three numbers. Beside it stands a network of six layers,
# each with weights of its own, which start as copies.
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import kerasseq as ks

keras.utils.set_random_seed(3)
STEPS, UNITS = 6, 5
inputs = tf.random.normal((4, STEPS, 3))
wanted = tf.random.normal((4, UNITS))

layer = ks.SimpleRNN(UNITS)
with tf.GradientTape() as tape:
    loss = tf.reduce_sum((layer(inputs) - wanted) ** 2)
shared = tape.gradient(loss, layer.trainable_variables)

copies = [[tf.Variable(w) for w in layer.trainable_variables] for _ in range(STEPS)]
with tf.GradientTape() as tape:
    state = tf.zeros((4, UNITS))
    for step, (U, W, b) in enumerate(copies):
        state = tf.tanh(inputs[:, step] @ U + state @ W + b)
    loss = tf.reduce_sum((state - wanted) ** 2)
separate = tape.gradient(loss, copies)

summed = [sum(of_all) for of_all in zip(*separate, strict=True)]
difference = max(
    np.abs(ours - theirs).max() / np.abs(theirs).max()
    for ours, theirs in zip(shared, summed, strict=True)
)
print(f"largest difference between the layer and the sum: {difference:.1e}")
assert difference < 1e-6, "the gradient of the shared weights is the sum"

# %%
# The pictures are gradients of :math:`W`: red is above zero, blue below. The first is
# zero, since there is no state before step 1 that :math:`W` could be multiplied by. The
# last copies have most to say, those before them less. (Why? See *vanishing
# gradients*.)
GREY, INK = "#8a94a0", "#30363d"
BLUE, ORANGE, GREEN = "#1f5fa8", "#d9622b", "#1b7f5c"
plt.rcParams.update(
    {"font.size": 11, "text.color": INK, "axes.titlesize": 12,
     "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY}
)  # fmt: skip
figure, panels = plt.subplot_mosaic(
    [list("123456"), list("SSSLLL")], figsize=(6.4, 4.2), height_ratios=(1, 1.7)
)
images = {str(step + 1): grads[1] for step, grads in enumerate(separate)}
images |= {"S": summed[1], "L": shared[1]}
largest = np.abs(summed[1]).max()
for name, image in images.items():
    panels[name].imshow(image, "RdBu_r", vmin=-largest, vmax=largest)
    panels[name].set(xticks=[], yticks=[])
    panels[name].spines[:].set(visible=True, color=GREY)
for step in range(STEPS):
    panels[str(step + 1)].set_title(f"step {step + 1}", fontsize=11)
    if step:
        panels[str(step + 1)].text(-0.19, 0.5, "+", ha="center", va="center",
            fontsize=16, transform=panels[str(step + 1)].transAxes)  # fmt: skip
panels["S"].set_title("= the sum of the six")
panels["L"].set_title("the layer's own gradient")
figure.suptitle("The gradient of W, copy by copy", x=0.02, ha="left", fontsize=13)
figure.subplots_adjust(left=0.02, right=0.98, bottom=0.02, top=0.83, wspace=0.35)

# %%
# Sharing saves: the layer has the same number of weights for any length.
one = layer.count_params()
for length in (6, 100, 1000):
    print(f"{length:5} steps: {one} weights shared, {one * length:,} separate")

# %%
# Unrolled all the way, or only a little
# --------------------------------------
# A long text cannot be unrolled as a whole. *Truncated* backpropagation cuts it into
# chunks: the state is handed on, but no gradient comes back (``stop_gradient``). The
# task: one bit is shown, and asked for 12 steps later. Between them there is noise.
LENGTH, DISTANCE = 48, 12


def make_batch(random, count=64):
    start = random.integers(0, LENGTH - DISTANCE, count)
    rows, bits = np.arange(count), random.integers(0, 2, count)
    x = np.zeros((count, LENGTH, 4), "float32")
    x[..., 3] = random.normal(size=(count, LENGTH))
    x[rows, start, bits] = 1  # one of two lamps
    x[rows, start + DISTANCE, 2] = 1  # the question
    return x, start + DISTANCE, bits


def learn_in_chunks(chunk, steps=150):
    """The loss of each step of a training that unrolls `chunk` steps."""
    keras.utils.set_random_seed(5)
    reader = ks.GRU(24, return_sequences=True, return_state=True)
    answer = keras.layers.Dense(2)
    reader.build((None, LENGTH, 4))
    answer.build((None, 24))
    weights = reader.trainable_variables + answer.trainable_variables
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(weights)

    @tf.function
    def train(x, when, bits):
        with tf.GradientTape() as tape:
            state, outputs = tf.zeros((x.shape[0], 24)), []
            for part in tf.split(x, LENGTH // chunk, axis=1):
                output, state = reader(part, initial_state=tf.stop_gradient(state))
                outputs.append(output)
            asked = tf.gather(tf.concat(outputs, axis=1), when, batch_dims=1)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(bits, answer(asked))
            )
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    random = np.random.default_rng(1)
    return np.array(
        [train(*map(tf.constant, make_batch(random))) for _ in range(steps)]
    )


chunks = {6: ORANGE, 12: ORANGE, 24: BLUE, 48: BLUE}
losses = {chunk: learn_in_chunks(chunk) for chunk in chunks}

figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
for chunk, color in chunks.items():
    smooth = np.convolve(losses[chunk], np.ones(15) / 15, mode="valid")
    axes.plot(smooth, color=color, lw=2, ls="-" if chunk in (12, 48) else "--")
    print(f"unrolled over {chunk:2} steps: loss {smooth[-1]:.3f}")
axes.axhline(np.log(2), color=GREY, lw=1, zorder=0)
axes.text(30, np.log(2) + 0.03, "a guess: ln 2", color=INK, ha="center")
axes.text(135, 0.5, "6 (dashed) or 12 steps: never learned",
          color=ORANGE, ha="right", va="top")  # fmt: skip
axes.text(135, 0.09, "24 (dashed) or 48: learned", color=BLUE, ha="right")
axes.set(xlabel="training step", ylabel="loss, nats", ylim=(0, 0.85), xlim=(0, 137))
axes.set_title("A bit asked for 12 steps later, unrolled over ...", loc="left")

# %%
# What sharing gains, and what it cannot learn
# --------------------------------------------
# Two rules for a row of bits:
#
# * *the same everywhere*: repeat the bit before this one;
# * *by position*: turn the bit over at some positions, which were chosen by chance and
#   are always the same.
#
# A SimpleRNN, which shares its weights, against a network with weights of its own for
# each position, which reads the bit there and the one before.
LONG = 60
turned = np.random.default_rng(8).integers(0, 2, LONG)


def rule_same(bits):
    return np.pad(bits, ((0, 0), (1, 0)))[:, :-1]


def rule_by_position(bits):
    return bits ^ turned[: bits.shape[1]]


def build(sharing, length):
    x = keras.Input((length, 1))
    if sharing:
        hidden = ks.SimpleRNN(16, return_sequences=True)(x)
        return keras.Model(x, keras.layers.Dense(2)(hidden))
    before = keras.ops.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    pairs = keras.layers.Concatenate()([x, before])
    # Like two Dense layers, with a kernel and a bias for each position t.
    each = {"equation": "btd,tde->bte", "bias_axes": "te"}
    hidden = keras.layers.EinsumDense(output_shape=(length, 16), **each)(pairs)
    hidden = keras.layers.Activation("tanh")(hidden)
    return keras.Model(
        x, keras.layers.EinsumDense(output_shape=(length, 2), **each)(hidden)
    )


def accuracy_by_position(rule, sharing, examples, length, longer=None):
    """Train on some rows; how often each position is right in new ones."""
    keras.utils.set_random_seed(2)
    model = build(sharing, length)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    random = np.random.default_rng(4)
    bits = random.integers(0, 2, (examples, length))
    for _ in range(200):
        rows = random.choice(examples, min(32, examples), replace=False)
        model.train_on_batch(bits[rows, :, None].astype("float32"), rule(bits[rows]))
    new = random.integers(0, 2, (500, longer or length))
    if longer:  # the same weights in a model for longer rows
        trained, model = model, build(sharing, longer)
        model.set_weights(trained.get_weights())
    found = model.predict_on_batch(new[..., None].astype("float32")).argmax(axis=-1)
    return np.mean(found == rule(new), axis=0)


same_shared = accuracy_by_position(rule_same, True, 3, 20, longer=LONG)
same_own = accuracy_by_position(rule_same, False, 3, 20)
place_shared = accuracy_by_position(rule_by_position, True, 1000, LONG)
place_own = accuracy_by_position(rule_by_position, False, 1000, LONG)
for name, accuracy in {
    "same everywhere, shared": same_shared, "same everywhere, own": same_own,
    "by position, shared": place_shared, "by position, own": place_own,
}.items():  # fmt: skip
    print(f"{name:24} {accuracy.mean():.0%} of the bits right")

figure, panels = plt.subplots(2, figsize=(6.4, 5.4), sharex=True, layout="constrained")
at = np.arange(1, LONG + 1)
style = {"marker": "o", "markersize": 3.5, "lw": 1.5}
panels[0].plot(at, same_shared, color=BLUE, **style)
panels[0].plot(at[:20], same_own, color=ORANGE, **style)
panels[0].axvline(20.5, color=GREY, lw=1, ls=":")
panels[0].text(21.5, 0.3, "longer than any row\nit was trained on", color=INK)
panels[0].text(21.5, 0.87, "shared: three rows are enough", color=BLUE)
panels[0].text(1, 0.3, "weights of its own", color=ORANGE)
panels[0].set_title("A rule that is the same everywhere", loc="left")
panels[1].plot(at, place_own, color=ORANGE, **style)
panels[1].plot(at, place_shared, "o", color=BLUE, markersize=3.5)
panels[1].text(1, 0.86, "weights of its own", color=ORANGE)
panels[1].text(
    30, 0.5, "shared: does the same\neverywhere, which is right\nhere and wrong there",
    color=BLUE, va="center", ha="center",
)  # fmt: skip
panels[1].set_title("A rule of absolute position", loc="left")
for panel in panels:
    panel.set(
        ylim=(-0.06, 1.08), yticks=(0, 0.5, 1), yticklabels=("0", "half", "right")
    )
panels[1].set(xlabel="position in the row", xticks=(1, 20, 40, 60))

# %%
# What we measured
# ----------------
# Backpropagation through time is ordinary backpropagation in the unrolled network, and
# then a sum. What is not unrolled cannot be learned. Sharing makes each position an
# example for all others, and lets the cell go on for ever. A rule of absolute position
# it can only follow by counting with its state. With more training it learns to count
# to twenty; to sixty it does not, and has one rule for all positions.
learned = max(losses[chunk][-40:].mean() for chunk in (24, 48))
guessed = min(losses[chunk][-40:].mean() for chunk in (6, 12))
assert learned < 0.2 < 0.6 < guessed, "12 steps back fit in 24, not in 12"
assert same_shared.min() > 0.95, "shared weights learn the rule for any length"
assert same_own[1:].mean() < 0.9, "weights of its own need examples for each position"
assert place_own.min() > 0.95, "weights of its own know the position"
assert place_shared.mean() < 0.8, "shared weights do not"

# %%
# Exercises
# ---------
# 1. Let the loss be on *all* states (``return_sequences=True``), not on the last one.
#    Which copies have most to say now? Predict, then change both networks and look.
# 2. Give the shared network the position as a second input, :math:`t / 60`, and then as
#    60 lamps, one for each position. Which of the two lets it learn the second rule?
#    (Transformers need something like it: see *positions*.)
