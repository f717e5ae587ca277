r"""
Gates: what to remember, what to expose
=======================================

**What do the input, forget and output gates of an LSTM do?**

An LSTM has two states: the *cell* :math:`c`, its memory, and the *output* :math:`h`,
all that the rest of the network sees of it. Three gates, numbers from 0 to 1 for each
unit, stand around the memory:

.. math:: c_t = f_t\, c_{t-1} + i_t\, g_t

.. math:: h_t = o_t \tanh(c_t)

The forget gate :math:`f` says how much of the memory is kept, the input gate :math:`i`
how much of the new value :math:`g` is written, the output gate :math:`o` how much of it
all is shown.

**Prediction.** A memory that is multiplied by :math:`f` at each step has a *half-life*
of :math:`\ln 2 / (-\ln f)` steps. And *remembering* is something else than *exposing*:
a unit can hold a value for long and show it only when it is asked.

Answers questions 7 and 9 of a first course's homework: the second picture and the
third.
"""

# %%
# Half-lives
# ----------
# An LSTM with a unit for each forget bias. All other weights are zero, so that nothing
# is written. Each memory starts at 1; after how many steps is a half of it left?
import argparse
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import kerasseq as ks

keras.utils.set_random_seed(0)
biases = np.arange(-1.0, 6.5, 0.5)
count = len(biases)
forgetful = ks.LSTM(count)
forgetful.build((None, None, 1))
zeros = np.zeros(count)
forgetful.set_weights(
    [np.zeros((1, 4 * count)), np.zeros((count, 4 * count)),
     np.concatenate([zeros, biases, zeros, zeros])]
)  # fmt: skip
states = [tf.zeros((1, count)), tf.ones((1, count))]
memory = [states[1][0]]
for _ in range(300):
    _, states = forgetful.step(tf.zeros((1, 1)), states)
    memory.append(states[1][0])
logs = np.log(
    np.maximum(memory, 1e-30)
)  # straight lines, so that we may read between steps
measured = np.array([np.interp(np.log(2), -log, np.arange(301.0)) for log in logs.T])
formula = np.log(2) / np.log(1 + np.exp(-biases))
assert np.abs(measured / formula - 1).max() < 0.01, "the half-life has a formula"

BLUE, ORANGE, GREEN, GREY, INK = "#1f5fa8", "#d9622b", "#1b7f5c", "#8a94a0", "#30363d"
plt.rcParams.update(
    {"font.size": 11, "text.color": INK, "axes.titlesize": 12,
     "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY}
)  # fmt: skip
figure, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
axes.semilogy(biases, formula, color=GREY, lw=6, alpha=0.5)
axes.semilogy(biases, measured, "o", color=BLUE, markersize=5)
axes.text(3, 1, "grey: the formula\ndots: measured", color=INK)
axes.annotate("Keras's start: 2.2 steps", (1, 2.2), (-1, 12), color=BLUE,
              arrowprops={"arrowstyle": "-", "color": BLUE})  # fmt: skip
axes.set(xlabel="forget bias", yticks=(1, 10, 100), yticklabels=(1, 10, 100))
axes.set_title("Steps until half of the memory is gone", loc="left")

# %%
# One unit that needs all three gates
# -----------------------------------
# At each step comes a number, -1 or 1, and two flags. *Store*: remember this number and
# none of those that follow. *Ask*: say the number. When nobody asks, say 0. One single
# LSTM unit learns it, with a linear readout that cannot hide what the unit shows.
STEPS = 24


def make_stories(random, count):
    x = np.zeros((count, STEPS, 3), "float32")
    x[..., 0] = random.choice([-1, 1], (count, STEPS))
    x[..., 1] = random.random((count, STEPS)) < 0.15
    x[:, 0, 1] = 1
    x[..., 2] = (random.random((count, STEPS)) < 0.25) & (x[..., 1] == 0)
    stored = np.zeros(count)
    wanted = np.zeros((count, STEPS), "float32")
    for step in range(STEPS):
        stored = np.where(x[:, step, 1], x[:, step, 0], stored)
        wanted[:, step] = stored * x[:, step, 2]
    return x, wanted[..., None]


keeper = ks.LSTM(1, return_sequences=True)
model = keras.Sequential([keeper, keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.05), "mse")
random = np.random.default_rng(1)
for _ in range(500):
    model.train_on_batch(*make_stories(random, 64))


# %%
# To see what each gate is for, we *ablate* it: we run the trained unit again, with that
# gate held at its mean. For this the LSTM's equations are written out in NumPy.


def run_gates(weights, x, frozen=""):
    """Run an LSTM in NumPy; its gates i, f, o and states c, h, each (B, T, units).

    The gate that is `frozen` is held at each unit's mean.
    """
    kernel, recurrent, bias = weights
    mean = run_gates(weights, x)[frozen].mean(axis=(0, 1)) if frozen else None
    h = c = np.zeros((len(x), len(recurrent)), "float32")
    kept = {name: [] for name in "ifoch"}
    for step in range(x.shape[1]):
        z = np.split(x[:, step] @ kernel + h @ recurrent + bias, 4, axis=1)
        gates = {name: 1 / (1 + np.exp(-z["ifgo".index(name)])) for name in "ifo"}
        if frozen:
            gates[frozen] = np.broadcast_to(mean, h.shape)
        c = gates["f"] * c + gates["i"] * np.tanh(z[2])
        h = gates["o"] * np.tanh(c)
        for name, value in {**gates, "c": c, "h": h}.items():
            kept[name].append(value)
    return {name: np.stack(values, axis=1) for name, values in kept.items()}


x, wanted = make_stories(np.random.default_rng(2), 500)
weights = keeper.get_weights()
scale, offset = model.layers[-1].get_weights()
numpy_error = np.abs(run_gates(weights, x)["h"] - keeper(x)).max()
errors = {
    frozen: np.mean((run_gates(weights, x, frozen)["h"] @ scale + offset - wanted) ** 2)
    for frozen in ("", "i", "f", "o")
}
guess = np.mean(wanted**2)
print(f"NumPy's LSTM differs from the layer by {numpy_error:.0e}")
print(f"squared error {errors['']:.3f}, of always saying 0: {guess:.3f}")
for gate, name in {"i": "input", "f": "forget", "o": "output"}.items():
    print(f"squared error with the {name} gate at its mean: {errors[gate]:.3f}")

# %%
# One story. The memory holds its value however much is said around it, and what is
# shown is zero until somebody asks. (Where the input gate is half open in between, the
# new value is near zero.)
traces = run_gates(weights, x)
flips = (np.diff(np.sign(traces["c"][..., 0])) != 0).sum(axis=1)
both = (wanted.min(axis=(1, 2)) < 0) & (wanted.max(axis=(1, 2)) > 0)
story = int(np.argmax((flips == 3) & both))  # overwritten three times, and asked for
traces = {name: trace[story, :, 0] for name, trace in traces.items()}
# Whether the unit stores a plus as a plus is up to chance.
sign = np.sign(np.sum(traces["c"] * np.where(x[story, :, 1], x[story, :, 0], 0)))
at = np.arange(STEPS)
figure, panels = plt.subplots(
    5, figsize=(6.4, 5.6), sharex=True, height_ratios=(1, 1, 1, 1.2, 1.2),
    layout="constrained",
)  # fmt: skip
for step in at:
    value, store, ask = x[story, step]
    color = BLUE if store else ORANGE if ask else GREY
    style = {"ha": "center", "color": color}
    panels[0].text(step, 0, "$+$" if value > 0 else "$-$", va="center", **style)
    flag = "store" if store else "ask" if ask else ""
    panels[0].text(step, 0.8, flag, va="bottom", rotation=90, fontsize=10, **style)
panels[0].set(ylim=(-0.6, 4.2), yticks=[], ylabel="input")
for panel, name, color in zip(panels[1:3], "io", (BLUE, ORANGE), strict=True):
    panel.bar(at, traces[name], color=color, width=0.8)
    panel.set(ylim=(0, 1.05), yticks=(0, 1))
panels[1].plot(at, traces["f"], "_", color=INK, markersize=11, markeredgewidth=2)
panels[1].set_ylabel("input gate,\nforget (line)")
panels[2].set_ylabel("output\ngate")
for panel, name, color in zip(panels[3:], ("c", "h"), (BLUE, ORANGE), strict=True):
    panel.axhline(0, color=GREY, lw=0.8)
    panel.bar(at, sign * traces[name], color=color, width=0.8)
    panel.set_yticks([0])
panels[3].set_ylabel("memory c:\nremembered")
panels[4].set_ylabel("output h:\nexposed")
for panel in panels[:-1]:
    panel.tick_params(axis="x", length=0)
panels[4].set(xlabel="step", xlim=(-0.6, STEPS - 0.4))
panels[0].set_title("What to remember, and what to expose", loc="left")
for panel in panels:
    panel.yaxis.label.set(rotation=0, ha="right", va="center")

# %%
# At the ends of words
# --------------------
# Now an LSTM of many units that has learned to write, from the manual that comes with
# every Python. For a model of your own, train it with ``kerasseq train story.txt --only
# char_rnn --cell lstm --out out``, and run this lesson with ``--out out``.
parser = argparse.ArgumentParser()
parser.add_argument("--out", type=Path, help="the folder of a run with --cell lstm")
folder = parser.parse_known_args()[0].out  # a notebook passes arguments of its own

if folder:
    writer = ks.load_model(folder / "char_rnn" / "char_rnn.keras")
    vocabulary = ks.Vocabulary.load(folder / "char_rnn" / "vocabulary.json")
    text = (folder / "char_rnn" / "held_out.txt").read_text(encoding="utf-8")
    held_out = vocabulary.encode(text)
else:
    corpus = ks.load_corpus("pydoc")
    vocabulary = corpus.vocabulary
    ids, held_out = ks.split_text(corpus.ids)
    config = ks.CharRNNConfig(len(vocabulary), "lstm", units=96)
    writer = ks.build_char_rnn(config)
    learner = ks.build_stateful_model(writer, batch_size=32, length=48)
    plan = ks.TrainingConfig.for_text(
        len(ids), budget=900_000, length=48, learning_rate=1e-2
    )
    ks.compile_for_training(learner, plan, jit_compile=False)
    learner.fit(
        ks.next_character_streams(ids, plan.batch_size, plan.length).repeat(),
        epochs=plan.epochs,
        steps_per_epoch=plan.steps_per_epoch,
        shuffle=False,
        verbose=0,
    )

layers = [layer for layer in writer.layers if isinstance(layer, keras.layers.LSTM)]
assert len(layers) == 1, "this lesson takes one LSTM layer apart: --cell lstm"
# Twenty stretches of the held-out text, and the characters that follow.
count = min(6000, (len(held_out) - 1) // 20 * 20)
rows = [np.asarray(held_out[at : at + count]).reshape(20, -1) for at in (0, 1)]
vectors = writer.get_layer("embedding").get_weights()[0][rows[0]]
scale, offset = writer.get_layer("logits").get_weights()
weights = layers[0].get_weights()


def text_loss(frozen):
    logits = run_gates(weights, vectors, frozen)["h"] @ scale + offset
    logits -= logits.max(axis=-1, keepdims=True)
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -np.take_along_axis(logs, rows[1][..., None], axis=-1).mean()


# The same ablation: the loss with each gate at its mean.
text_losses = {frozen: text_loss(frozen) for frozen in ("", "i", "f", "o")}
# %%
# Each unit has gates of its own. For each we ask by how much its gate differs between
# the space after a word and the letters, and take the one that differs most.
characters = np.array(vocabulary.characters)[rows[0]]
is_space = characters == " "
is_letter = np.char.isalpha(characters)
gates = run_gates(weights, vectors)
change = {
    name: gates[name][is_space].mean(axis=0) - gates[name][is_letter].mean(axis=0)
    for name in "ifo"
}
largest = {name: int(np.abs(change[name]).argmax()) for name in "ifo"}
for name, unit in largest.items():
    share = np.mean(np.abs(change[name]) > 0.2)
    print(
        f"{name} of unit {unit}: {change[name][unit]:+.2f} at spaces; "
        f"by more than 0.2 in {share:.0%} of the units"
    )

WIDE = 34
plain = (is_space | is_letter)[:, 60 : 60 + WIDE].sum(axis=1)
row = int(plain.argmax())  # a stretch of words without signs between them
strip = characters[row, 60 : 60 + WIDE]
figure, (upper, lower) = plt.subplots(
    2, figsize=(6.4, 4.6), height_ratios=(1, 1.1), layout="constrained"
)
image = np.stack([gates[name][row, 60 : 60 + WIDE, largest[name]] for name in "ifo"])
upper.imshow(image, "cividis", vmin=0, vmax=1, aspect="auto")
upper.set_yticks(range(3), ["input", "forget", "output"])
shown = [c if c.isprintable() else "¶" for c in strip]
upper.set_xticks(
    range(WIDE), ["␣" if c == " " else c for c in shown], fontfamily="DejaVu Sans Mono"
)
for step in np.flatnonzero(strip == " "):
    upper.axvline(step + 0.5, color="white", lw=2)
upper.tick_params(length=0)
upper.spines[:].set_visible(False)
upper.set_title("Three gates of the writer: yellow is open, blue is shut", loc="left")
names = {
    "": "all gates",
    "i": "input at its mean",
    "f": "forget at its mean",
    "o": "output at its mean",
}
for place, (frozen, loss) in enumerate(text_losses.items()):
    lower.barh(place, loss, 0.7, color=ORANGE if frozen else BLUE)
    lower.text(loss + 0.03, place, f"{loss:.2f}", va="center")
lower.set_yticks(range(4), names.values())
lower.invert_yaxis()
lower.tick_params(axis="y", length=0)
lower.set(xticks=[], xlim=(0, 1.15 * max(text_losses.values())))
lower.spines[["left", "bottom"]].set_visible(False)
lower.set_title("Loss, nats per character", loc="left")

# %%
# What we measured
# ----------------
# The forget gate sets how long a memory lives. The input gate keeps what does not
# matter out, the output gate keeps what does not matter yet in. Stop any of the three
# at its mean, and the model has lost what it could.
assert numpy_error < 1e-4, "the gates that we read are those of the layer"
assert errors[""] < 0.1 * guess, "one unit stores, keeps and tells"
assert min(errors[gate] for gate in "ifo") > 3 * errors[""] + 0.02, "it needs each gate"
assert min(text_losses[gate] for gate in "ifo") > text_losses[""] + 0.02, (
    "so does the writer"
)
assert max(abs(change[name]).max() for name in "ifo") > 0.3, (
    "gates see the ends of words"
)

# %%
# Exercises
# ---------
# 1. Which forget bias has a half-life of 1,000 steps? Predict it with the formula, then
#    measure it (more steps are needed).
# 2. A GRU has no output gate: it shows all that it remembers. Train ``ks.GRU(1)`` on
#    the stories. Why can its single unit not tell the number only when it is asked? How
#    many units does it take?
