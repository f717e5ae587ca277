r"""
What does a model lose on its way to a phone?
=============================================

A model is trained in float32: 32 bits for each weight. The files that run on a phone
hold fewer. To *quantize* a matrix to :math:`b` bits is to round each weight :math:`w`
to a multiple of a step :math:`s`, and to keep the whole number and, for each column,
the step:

.. math:: s = \frac{\max |w|}{2^{b-1} - 1}, \qquad \hat w = s \cdot
   \mathrm{round}\left(\frac{w}{s}\right)

**The question.** With 8 bits a file is a quarter as large. What else changes: the loss?
the text?

**Predict.** One bit less doubles the step. What does it do to the model's outputs, and
which matrix matters most? And if two models are given the same seed, but one has
rounded weights: for how long do they write the same text?

This lesson answers none of the eighteen questions of a first course's homework. It is
about what comes after them. Give it a run of your own: ``python text_to_phone.py --out
out``.
"""

import argparse
import tempfile
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np

import kerasseq as ks
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.tokens import uniform_numbers

keras.utils.set_random_seed(1)
plt.rcParams.update({"font.size": 13, "figure.constrained_layout.use": True})
INK, BLUE, RED = "#30363d", "#0072B2", "#D55E00"

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=Path, help="a run's folder, with char_rnn in it")
run = parser.parse_args().out

# %%
# From a text to a model
# ----------------------
# A small GRU learns to write from the manual that comes with Python. It reads the text
# six times. The last tenth is held out: no training step sees it.

if run:
    model = ks.load_model(run / "char_rnn" / "char_rnn.keras")
    vocabulary = ks.Vocabulary.load(run / "char_rnn" / "vocabulary.json")
    held_out = (run / "char_rnn" / "held_out.txt").read_text("utf-8")[:4000]
else:
    corpus = ks.load_corpus("pydoc")
    vocabulary = corpus.vocabulary
    ids, rest = ks.split_text(corpus.ids)
    model = ks.build_char_rnn(
        ks.CharRNNConfig(len(vocabulary), units=96, embedding_size=32)
    )
    learner = ks.build_stateful_model(model, batch_size=32, length=64)
    settings = ks.TrainingConfig.for_text(len(ids), budget=1_200_000)
    ks.compile_for_training(learner, settings)
    streams = ks.next_character_streams(ids, 32, 64)
    learner.fit(streams, epochs=6, shuffle=False, verbose=0)
    held_out = vocabulary.decode(rest[:4000])

# %%
# Rounding by hand
# ----------------
# We round one matrix of the model at a time, then all of them, to 3 to 10 bits. The
# *logits* are the model's scores for the next character, one for each character that it
# knows. How far do they move, as the root of the mean square?

read = vocabulary.encode(held_out[:2000]).reshape(20, 100)
weights = model.get_weights()
exact = model.predict(read, verbose=0)


def rounded(w, bits):
    """A matrix whose entries are whole multiples of their column's step."""
    step = np.abs(w).max(axis=0) / (2 ** (bits - 1) - 1)
    return np.round(w / step) * step, step


def error(chosen, bits):
    """How far the logits move if the chosen matrices are rounded."""
    changed = [
        rounded(w, bits)[0] if index in chosen else w for index, w in enumerate(weights)
    ]
    model.set_weights(changed)
    moved = model.predict(read, verbose=0)
    model.set_weights(weights)
    return float(np.sqrt(np.mean((moved - exact) ** 2)))


matrices = {
    variable.path: index
    for index, variable in enumerate(model.weights)
    if not variable.path.endswith("bias")
}
bits = np.arange(3, 11)
errors = {name: [error([index], b) for b in bits] for name, index in matrices.items()}
together = [error(matrices.values(), b) for b in bits]

# %%
# Rounding moves a weight by anything between half a step down and half a step up. All
# are equally likely, so the root of the mean square is :math:`s / \sqrt{12}`.

kernel = weights[matrices["logits/kernel"]]
near, step = rounded(kernel, 8)
measured, formula = (
    np.sqrt(np.mean((near - kernel) ** 2)),
    np.sqrt(np.mean(step**2) / 12),
)
print(f"rounding to 8 bits: measured {measured:.6f}, by the formula {formula:.6f}")

# %%
# Files
# -----
# ``export`` writes the files that a phone runs, and checks each against the model.
# float16 has 11 significant bits. int8 has 8, and int4 has 8 and, for the matrix that
# reads the GRU's own state, 4.

folder = tempfile.TemporaryDirectory()
report = ks.export(model, vocabulary, folder.name, held_out=held_out)
files = {
    path.stem.removeprefix("char_rnn_"): path
    for path in sorted(Path(folder.name).glob("*.tflite"))
}


def logits_of(path, ids):
    """What a file's ``step`` says after each character, (T, V)."""
    file = Model(path)
    step = file.signatures()["step"]
    states = {k: np.zeros(shape, "float32") for k, shape in file.state_shapes().items()}
    logits = []
    for id in ids:
        outputs = step(token=np.array([id], "int32"), **states)
        states = {name: outputs[name] for name in states}
        logits.append(outputs["logits"].ravel())
    return np.array(logits)


in_files = {
    name: float(np.sqrt(np.mean((logits_of(path, read[0]) - exact[0]) ** 2)))
    for name, path in files.items()
}
keras_loss = report["loss of Keras on them"]
print("file       bytes    loss above Keras's, nats a character    logits move by")
for name, path in files.items():
    above = report["files"][path.name]["loss, interpreter"] - keras_loss
    print(f"{name:8}{path.stat().st_size:8,}{above:20.6f}{in_files[name]:28.6f}")

# %%
# The first picture: each bit less doubles the error, for each matrix and for all.

figure, axes = plt.subplots(figsize=(6.4, 5.2))
styles = ["-", "--", ":", "-."] * 4
for (name, line), style in zip(errors.items(), styles, strict=False):
    label = name.rpartition("/")[2].replace("_", " ") if "gru" in name else name
    axes.plot(bits, line, style, color=BLUE, lw=2, label=label.split("/")[0])
axes.plot(bits, together, color=INK, lw=3.5, label="all of them")
for name, at, offset in (("int8", 8, (14, 14)), ("int4", 4, (-14, -34))):
    if name in in_files:
        point = (at, in_files[name])
        axes.plot(*point, "o", color=RED, ms=11, zorder=3)
        axes.annotate(
            f"{name} file", point, offset, textcoords="offset points", color=RED
        )
axes.set(yscale="log", xlabel="bits for each weight", ylabel="how far the logits move")
axes.set_title("A bit less, twice the error", loc="left", weight="bold")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)

# %%
# Why the same seed gives the same text
# -------------------------------------
# A seed stands for a fixed list of numbers between 0 and 1, one for each character to
# write. The model cuts the line from 0 to 1 into pieces: the likelier a character, the
# longer its piece. The number falls into one piece, and that character is written.
# Nothing else in it is left to chance. A *temperature* below 1 makes the long pieces
# longer.

seed, length, temperature = 2, 400, 0.8
numbers = uniform_numbers(seed, 0, length)
prompt = held_out[:30]
texts = {
    name: ks.open_tflite(path).write(prompt, length, temperature=temperature, seed=seed)
    for name, path in files.items()
}


def boundaries(logits):
    """Where the pieces of the line from 0 to 1 end, (T, V)."""
    likely = np.exp((logits - logits.max(-1, keepdims=True)) / temperature)
    sums = np.cumsum(likely, -1)
    return sums / sums[:, -1:]


def pieces(name, text):
    """What a file's model makes of the line before each character of a text."""
    ids = vocabulary.encode(prompt + text)
    return boundaries(logits_of(files[name], ids)[len(prompt) - 1 : -1])


exact_line = pieces("float32", texts["float32"])
by_hand = vocabulary.decode(
    [
        np.searchsorted(line, u, "right")
        for line, u in zip(exact_line, numbers, strict=True)
    ]
)
print(repr(by_hand[:60]))

# %%
# Rounded weights move the ends of the pieces a little. The text stays the same until a
# number falls between the old end and the new one. From there on the two models read
# different texts, and nothing brings them together again.

same = next(
    (
        i
        for i, (a, b) in enumerate(zip(texts["float32"], texts["int8"], strict=True))
        if a != b
    ),
    length,
)
rounded_line = pieces("int8", texts["float32"])
moved = np.abs(rounded_line - exact_line).max(-1)
print(
    f"int8 writes the same {same} characters; then {texts['int8'][same : same + 20]!r}"
)
print(f"an end moves by at most {np.median(moved):.4f} in a typical step")

last = min(same, length - 1)


def draw_line(axes, step, ends, left, color):
    """The line from 0 to 1 at one step, cut into pieces; the chosen one is dark."""
    for id in np.flatnonzero(np.diff(ends, prepend=0) > 1e-5):
        bottom, top = (ends[id - 1] if id else 0), ends[id]
        axes.bar(
            left,
            top - bottom,
            0.38,
            bottom,
            align="edge",
            color=color,
            ec="white",
            alpha=0.65 if bottom <= numbers[step] < top else 0.15,
            lw=0.8,
        )
        low, high = axes.get_ylim()
        seen = min(top, high) - max(bottom, low)
        if seen > 0.05 * (high - low):
            middle = max(bottom, low) + seen / 2
            letter = vocabulary.decode([id]).replace(" ", "␣").replace("\n", "⏎")
            axes.text(left + 0.19, middle, letter, ha="center", va="center")


figure, (whole, zoomed) = plt.subplots(1, 2, figsize=(6.4, 5.2), width_ratios=(3, 1.6))
near = max(0.03, 2 * moved[last])
zoomed.set_ylim(max(0, numbers[last] - near), min(1, numbers[last] + near))
whole.set_ylim(0, 1)
shown = range(max(0, last - 3), last + 1)
for axes, steps in ((whole, shown), (zoomed, [last])):
    for column, step in enumerate(steps):
        draw_line(axes, step, exact_line[step], column, BLUE)
        draw_line(axes, step, rounded_line[step], column + 0.4, RED)
        axes.plot([column - 0.03, column + 0.8], [numbers[step]] * 2, color=INK, lw=2)
        axes.plot(column - 0.03, numbers[step], ">", color=INK, ms=9)
    axes.set_xticks(
        [column + 0.39 for column in range(len(steps))], labels=[""] * len(steps)
    )
    axes.tick_params(length=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
whole.set_xticklabels(
    [f"{same - step} before" if step < last else "they part" for step in shown], size=11
)
zoomed.set_xticklabels(["the last, nearer"], size=11)
figure.suptitle(
    "A seed's numbers (black) choose the text", weight="bold", x=0.02, ha="left"
)
whole.text(0, 1.02, "float32", color=BLUE, weight="bold", transform=whole.transAxes)
whole.text(0.27, 1.02, "int8", color=RED, weight="bold", transform=whole.transAxes)

# %%
# What was measured
# -----------------

assert abs(measured / formula - 1) < 0.1, "rounding is not as the formula says"
ratios = np.array(together[1:-1]) / np.array(together[2:])
assert np.all((ratios > 1.6) & (ratios < 2.6)), (
    f"a bit is not a factor of two: {ratios}"
)
sizes = {name: path.stat().st_size for name, path in files.items()}
assert sizes["int8"] < 0.5 * sizes["float32"], "int8 saves less than half"
above = report["files"][files["int8"].name]["loss, interpreter"] - keras_loss
assert abs(above) < 0.01, f"int8 loses {above} nats a character"
assert by_hand == texts["float32"], "the numbers do not choose the file's text"
if same < length:
    a, b = (vocabulary.encode(texts[name][same])[0] for name in ("float32", "int8"))
    assert np.searchsorted(rounded_line[same], numbers[same], "right") == b != a
    assert moved[same] < 0.1, "the texts part by more than rounding"

# %%
# Exercises
# ---------
# 1. Round with one step for the whole matrix instead of one for each column. How many
#    bits does that cost?
# 2. How likely is it that the texts part at the next step? Estimate it from how far the
#    ends move, and compare with where they part for 20 other seeds.
