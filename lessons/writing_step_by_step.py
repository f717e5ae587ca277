"""
Writing step by step
====================

In training, a model predicts each character after the *true* ones before it. This is
called *teacher forcing*. When the model writes, no teacher stands there: it continues
what it wrote itself. This is called *free running*.

**The question.** What does a model lose without the teacher? And who chooses the next
character: the likeliest one (*greedy*), a search that keeps several texts (*beam*), or
a draw at a temperature?

**A prediction, before we measure.** As long as all that it wrote is right, nothing
differs from the lesson with the teacher. After the first mistake the model stands in a
place where it never was. And the likeliest character need not begin the likeliest text.

Answers question 18 of a first course's homework: how a model writes step by step,
without teacher forcing (first picture: what is right at each step; second picture: why
greedy is short-sighted; third picture: diversity against likelihood).
"""

# %%
# A translator with several right answers
# ---------------------------------------
# The source is a date, and the target one of five ways to write it, drawn with these
# shares. So we know every right answer, and how likely each should be. Every tenth date
# is held out: the model never sees it.

import datetime

import keras
import matplotlib.pyplot as plt
import numpy as np

import kerasseq as ks
from kerasseq.text.subwords import END, START  # 2 and 1; 0 is padding

SHARES = [0.21, 0.21, 0.34, 0.14, 0.10]
LONGEST = 24  # steps: the longest answer, its end, and some room
BATCH, HALF, STEPS = 64, 100, 300  # pairs of a batch; batches until half-way, in all


def answers(date):
    """The five right ways to write a date."""
    day, year, month = date.day, date.year, date.strftime("%B")
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10 * (day // 10 != 1), "th")
    return [
        f"{month} {day}, {year}",
        f"{month[:3]}. {day}, {year}",
        f"the {day}{ending} of {month[:3]}. {year}",
        f"{day} {month} {year}",
        f"{day}/{date.month}/{year}",
    ]


keras.utils.set_random_seed(3)
generator = np.random.default_rng(3)
first = datetime.date(2000, 1, 1)
calendar = [first + datetime.timedelta(days) for days in range(50 * 365)]
letters = "~~~" + "".join(sorted({c for d in calendar for a in answers(d) for c in a}))
letters += "-"


def encode(texts, length, start=()):
    """Ids (B, length): the start, the characters, `END` and padding."""
    ids = np.zeros((len(texts), length), np.int32)
    for row, text in zip(ids, texts, strict=True):
        some = [*start, *map(letters.index, text), END][:length]
        row[: len(some)] = some
    return ids


def decode(ids):
    """The text before the first `END`."""
    return "".join(letters[i] for i in ids).split(letters[END])[0]


drawn = [calendar[i] for i in generator.choice(len(calendar), 22_000) if i % 10]
pairs = [(str(date), answers(date)[generator.choice(5, p=SHARES)]) for date in drawn]
sources, targets = zip(*pairs, strict=True)
print(pairs[:3])

# %%
# A small Transformer learns it with a teacher: at each step of the target it is given
# the true characters before. We stop it half-way, since it makes mistakes there.

model = ks.build_translation(
    ks.TranslationConfig(len(letters), 64, 4, 1, 1, 128, LONGEST + 1, dropout=0.0)
)
learner = keras.Model(model.input, model.output["logits"])
config = ks.TrainingConfig(
    BATCH, LONGEST, STEPS, epochs=1, learning_rate=6e-3, optimizer="muon"
)
ks.compile_for_training(learner, config)
source_ids = encode(sources, 11)
target_ids = encode(targets, LONGEST + 1, [START])


def learn(some):
    """Train on some of the pairs, with a teacher."""
    inputs, labels = target_ids[some, :-1], target_ids[some, 1:]
    learner.fit(
        {"source_ids": source_ids[some], "target_ids": inputs},
        labels,
        sample_weight=(labels > 0).astype(np.float32),
        batch_size=BATCH,
        verbose=0,
    )


learn(slice(HALF * BATCH))

# %%
# Writing is one step again and again: the model gives the log-probabilities of the next
# character after those so far, and something chooses one.


def next_log_p(source, written):
    """Log-probabilities (N, V) of what follows what was written (N, T)."""
    begin = np.full((len(source), 1), START, np.int32)
    target = np.concatenate([begin, written], 1)
    logits = learner({"source_ids": source, "target_ids": target})[:, -1]
    return keras.ops.log_softmax(logits).numpy()


def write(source, choose, first=""):
    """What the model writes (N, T), and the log-likelihood of that."""
    written = np.tile(
        np.array([*map(letters.index, first)], np.int32), (len(source), 1)
    )
    likelihood, going = np.zeros(len(source)), np.ones(len(source), bool)
    while written.shape[1] < LONGEST and going.any():
        log_p = next_log_p(source, written)
        ids = np.where(going, choose(log_p), 0).astype(np.int32)
        likelihood += going * log_p[np.arange(len(ids)), ids]
        written = np.concatenate([written, ids[:, None]], 1)
        going &= ids != END
    return written, likelihood


def greedy(log_p):
    return log_p.argmax(-1)


# %%
# With a teacher, and without
# ---------------------------
# So that there is one right answer, we give the first character, ``t``: "the 12th of
# Mar. 2031". With two digits for the day, each character has its fixed place.

held_out = calendar[::10]
late = [date for date in held_out if date.day >= 10][:400]
source = encode([str(date) for date in late], 11)
truth = encode([answers(date)[2] for date in late], LONGEST, [START])[:, :23]
logits = learner({"source_ids": source, "target_ids": truth[:, :-1]}).numpy()
forced = (logits.argmax(-1) == truth[:, 1:])[:, 1:]
written, _ = write(source, greedy, first="t")
written = np.pad(written, ((0, 0), (0, LONGEST)))[:, 1:22]
free = written == truth[:, 2:]
no_mistake = np.cumprod(free, 1)

BLUE, ORANGE, GREY, INK = "#1f5fa8", "#d9622b", "#c9ced4", "#30363d"
plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "text.color": INK})
plt.rcParams.update({"axes.spines.right": False, "axes.labelcolor": INK})
figure, panel = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
places = np.arange(forced.shape[1])
panel.fill_between(places, no_mistake.mean(0), color=ORANGE, alpha=0.15, linewidth=0)
panel.plot(places, forced.mean(0), "o-", color=BLUE, label="with the teacher")
panel.plot(places, free.mean(0), "s-", color=ORANGE, label="without")
panel.text(0.2, 0.05, "no mistake so far, without the teacher", color=ORANGE)
panel.legend(loc=(0.01, 0.1), frameon=False, labelcolor="linecolor")
panel.set_xticks(places, "he␣12th␣of␣Mar.␣2031⏎")
panel.set(
    ylim=(0, 1.04), ylabel="share that is right", xlabel="character of the answer"
)
panel.set_title("The teacher hides the mistakes", loc="left")
plt.show()

# %%
# The teacher helps with what follows a mistake: it has put the true character there.
# The model alone goes on from its own, and is consistent with it: after a wrong digit
# comes the ending of the wrong digit. And one mistake is enough for a wrong answer: the
# filled area only falls.
#
# Greedy is short-sighted
# -----------------------
# We finish the training. *Beam search* keeps the best few texts at each step, by their
# sum of log-probabilities, and drops the others.

learn(slice(HALF * BATCH, STEPS * BATCH))


def beam(source, width):
    """The best texts that the search finds (N, width, T), and their log-likelihoods."""
    size = len(source)
    scores, written = np.zeros((size, 1)), np.zeros((size, 1, 0), np.int32)
    done = np.zeros((size, 1), bool)
    while written.shape[2] < LONGEST and not done.all():
        flat = written.reshape(scores.size, written.shape[2])
        log_p = next_log_p(source.repeat(len(flat) // size, 0), flat)
        # A finished text goes on with padding, which costs nothing.
        log_p[done.ravel()] = np.where(np.arange(len(letters)) == 0, 0, -np.inf)
        sums = (scores[..., None] + log_p.reshape(*scores.shape, -1)).reshape(size, -1)
        best = np.argsort(-sums, 1, kind="stable")[:, :width]
        parents, ids = np.divmod(best, len(letters))
        scores = np.take_along_axis(sums, best, 1)
        written = np.take_along_axis(written, parents[..., None], 1)
        written = np.concatenate([written, ids[..., None].astype(np.int32)], 2)
        done = np.take_along_axis(done, parents, 1) | (ids == END)
    return written, scores


dates = held_out[::30][:40]
source = encode([str(date) for date in dates], 11)
greedy_ids, greedy_likelihood = write(source, greedy)
greedy_texts = [decode(each) for each in greedy_ids]
beam_ids, beam_likelihood = beam(source, 5)
beam_texts = [[decode(each) for each in five] for five in beam_ids]
better = beam_likelihood[:, 0] - greedy_likelihood

# %%
# Take one date. The height of a band is the probability that the model gives. The full
# and the short name of the month begin with the same letter, which is together the
# likeliest. So greedy goes there and only then has to part. Beam search keeps ``t`` for
# a while, and finds the likeliest answer.


def probabilities(date):
    """The probability that the model gives to each right answer."""
    ids = encode(answers(date), LONGEST, [START])
    source = encode([str(date)] * 5, 11)
    logits = learner({"source_ids": source, "target_ids": ids[:, :-1]})
    log_p = keras.ops.log_softmax(logits).numpy()
    of_ids = np.take_along_axis(log_p, ids[:, 1:, None], 2)[..., 0]
    return np.exp((of_ids * (ids[:, 1:] > 0)).sum(1))


def band(panel, left, right, colour):
    """A band from one edge (x, bottom, height) to another."""
    t = np.linspace(0, 1, 50)
    smooth = 3 * t**2 - 2 * t**3
    bottom = left[1] + (right[1] - left[1]) * smooth
    height = left[2] + (right[2] - left[2]) * smooth
    x = left[0] + (right[0] - left[0]) * t
    panel.fill_between(x, bottom, bottom + height, color=colour, linewidth=0)


shown = next(
    i
    for i, date in enumerate(dates)
    if greedy_texts[i] in answers(date)[:2] and beam_texts[i][0] == answers(date)[2]
)
names, p = answers(dates[shown]), probabilities(dates[shown])
groups = [("digit", [4, 3], GREY), (names[0][0], [1, 0], ORANGE), ("t", [2], BLUE)]
figure, panel = plt.subplots(figsize=(6.4, 4), layout="constrained")
root = middle = end = 0.0
for letter, members, colour in groups:
    share = p[members].sum()
    band(panel, (0, root + 0.1, share), (1, middle, share), colour)
    panel.text(1.03, middle + share / 2, f"{letter}\n{share:.2f}", va="center")
    inner = middle
    for member in members:
        chosen = names[member] in (greedy_texts[shown], beam_texts[shown][0])
        place = (2.1, end, p[member])
        band(panel, (1.45, inner, p[member]), place, colour if chosen else GREY)
        label = f"{names[member]}  {p[member]:.2f}"
        panel.text(2.13, end + p[member] / 2, label, va="center")
        inner, end = inner + p[member], end + p[member] + 0.05
    root, middle = root + share, middle + share + 0.1
panel.text(
    -0.03, root / 2 + 0.1, str(dates[shown]), rotation=90, ha="right", va="center"
)
panel.set(xlim=(-0.25, 3.9))
panel.axis("off")
panel.set_title("greedy (orange) against beam search (blue)", loc="left")
plt.show()

# %%
# Diversity against likelihood
# ----------------------------
# Now five answers for each of 40 dates: greedy gives the same one five times, beam
# search its five best, and a temperature draws five times.


def drawn_at(temperature):
    def choose(log_p):
        noise = generator.gumbel(size=log_p.shape)  # its argmax draws from the softmax
        return (log_p / temperature + noise).argmax(-1)

    return choose


def score(five_texts, likelihood):
    """Log-likelihood of an answer, distinct right ones among five, and share right."""
    right = [
        [text for text in five if text in answers(date)]
        for date, five in zip(dates, five_texts, strict=True)
    ]
    distinct = np.mean([len(set(each)) for each in right])
    return np.mean(likelihood), distinct, np.mean([len(each) / 5 for each in right])


temperatures = [0.1, 0.3, 0.6, 1.0, 2.0]
sampled = []
for temperature in temperatures:
    ids, likelihood = write(source.repeat(5, 0), drawn_at(temperature))
    texts = np.reshape([decode(each) for each in ids], (-1, 5))
    sampled.append(score(texts, likelihood))
sampled = np.array(sampled)
searched = {
    "greedy": score([[text] * 5 for text in greedy_texts], greedy_likelihood),
    "beam's best": score([five[:1] * 5 for five in beam_texts], beam_likelihood[:, 0]),
    "beam's five": score(beam_texts, beam_likelihood),
}
rows = [*searched.items(), *zip(temperatures, sampled, strict=True)]
for name, (likely, distinct, right) in rows:
    print(f"{name!s:12}{likely:7.2f} nats, {distinct:.2f} distinct, {right:4.0%} right")

figure, panel = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
panel.plot(-sampled[:, 0], sampled[:, 1], "-", color=BLUE)
for name, (likely, distinct, right) in rows:
    found = name in searched
    panel.plot(
        -likely, distinct, "D" if found else "o", color=ORANGE if found else BLUE
    )
    offset = {"greedy": (9, 0), "beam's best": (-4, -17), "beam's five": (9, 0)}
    panel.annotate(
        f"{name if found else f'T = {name:g}'}, {right:.0%} right",
        (-likely, distinct),
        offset.get(name, (-9, 0)),
        textcoords="offset points",
        ha="left" if found else "right",
        va="center",
        color=ORANGE if found else BLUE,
    )
panel.set(xscale="log", xlim=(0.25, 40), ylim=(0, 5.5))
panel.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
panel.minorticks_off()
panel.set(
    xlabel="← likely      minus log-likelihood of an answer, nats      unlikely →"
)
panel.set(ylabel="distinct right answers among five")
panel.set_title("Varied or likely", loc="left")
plt.show()

# %%
# Greedy and beam search find likely answers, always the same. A temperature gives up
# likelihood for variety, and above 1 also what is right. The five best of a beam are
# varied here since there are just five right answers; of an open text they would differ
# in a comma.
#
# What we measured, held fast
# ---------------------------

assert (np.cumprod(forced, 1) == no_mistake).all(), "up to a mistake nothing differs"
assert no_mistake[:, -1].mean() < forced.mean() - 0.03, "one mistake spoils an answer"
assert (forced & ~free).sum() > 3 * (free & ~forced).sum(), "the teacher helps on"
assert (better > -1e-3).all(), "beam search finds no less likely answer"
assert better.mean() > 0.05, "greedy is short-sighted"
assert sampled[0, 0] > sampled[3, 0] + 0.2, "temperature costs likelihood"
assert sampled[3, 1] > sampled[0, 1] + 0.5, "and gives variety"
assert sampled[4, 2] < sampled[3, 2] - 0.2, "too hot a temperature is wrong"

# %%
# Exercises
# ---------
# 1. Search with a width of 1 and of 2. Which width is greedy, and which is the least
#    that finds the likeliest answer? Why?
# 2. *Scheduled sampling* puts some of the model's own characters into the inputs of the
#    training. Replace a tenth of ``target_ids`` (not the labels) by random characters,
#    and see what happens to the first picture.
