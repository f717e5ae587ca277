"""What an exported file answers, on whatever processor runs this.

`benchmarks.processors` gives the arguments of `answer` on standard input and reads
what it returns on standard output. It needs numpy and LiteRT only.
"""

import itertools
import json
import sys

import numpy as np

from kerasseq.on_device.classify import Classifier
from kerasseq.on_device.encode import Encoder
from kerasseq.on_device.generate import Writer
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.opening import open_tflite
from kerasseq.on_device.suggest import Keyboard
from kerasseq.on_device.tag import Tagger
from kerasseq.on_device.tokens import encode_prompt
from kerasseq.on_device.translate import Translator

NEUTRAL = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
Answers = tuple[list[list[str]], list[float]]


def answer(path: str, texts: list[str], length: int) -> Answers:
    """What a file says, and how sure it is.

    Args:
        path: of a `.tflite` file.
        texts: what it reads: for a character model one text.
        length: how many characters such a model writes.

    Returns:
        The answers, each a list of characters, words, tags, pieces or one label, and
        probabilities: of each character of the text, suggestion, label, translation or
        attended word; none for a tagger.
    """
    opened = open_tflite(path)
    said: list[list[str]] = []
    probabilities: list[float] = []
    if isinstance(opened, Writer):
        for temperature in (0.0, 1.0):
            settings = NEUTRAL | {"temperature": temperature}
            said.append(list(opened.write(texts[0][:20], length, seed=1, **settings)))
        return said, probabilities_of(Model(path), texts[0])
    for text in texts:
        if isinstance(opened, Keyboard):
            words = text.split()
            for count in range(len(words)):
                found = opened.suggest(" ".join(words[:count]) + " ")
                said.append([word for word, _ in found])
                probabilities += [probability for _, probability in found]
        elif isinstance(opened, Classifier):
            label = opened.classify(text)
            said.append([str(label.label)])
            probabilities.append(label.probability or 0.0)
        elif isinstance(opened, Tagger):
            said.append([tag for _, tag in opened.tag(text)])
        elif isinstance(opened, Translator):
            for temperature in (0.0, 1.0):
                written = opened.translate(text, temperature=temperature, seed=1)
                said.append(written.target)
                probabilities.append(float(np.exp(written.score)))
        elif isinstance(opened, Encoder):
            weights = opened.encode(text).weights
            said.append([str(index) for index in weights.argmax(axis=-1).ravel()])
            probabilities += weights.ravel().tolist()
    return said, probabilities


def probabilities_of(model: Model, text: str) -> list[float]:
    """Those of each character of a text after its first, by the signature `step`."""
    step = model.signatures()["step"]
    ids = encode_prompt(text, model.vocabulary["characters"])
    states = {
        name: np.zeros(shape, np.float32)
        for name, shape in model.state_shapes().items()
    }
    found = []
    for token, following in itertools.pairwise(ids):
        states = dict(step(token=np.array([token]), **states))
        logits = states.pop("logits")[0].astype(np.float64)
        weights = np.exp(logits - logits.max())
        found.append(float(weights[following] / weights.sum()))
    return found


if __name__ == "__main__":
    json.dump(answer(**json.load(sys.stdin)), sys.stdout)
