"""How good is the translator, and what does another program learn in the same time?

    python -m benchmarks.translation TRAIN TEST [--preset fast|default|best]
        [--model DIR] [--reverse] [--languages en,de]
        [--peer keras] [--peer joeynmt --joeynmt PYTHON] [--minutes M]

TRAIN and TEST have a source, a tab and its target on each line. The translator learns
TRAIN as with `kerasseq train --pairs TRAIN`, and TEST plays no part in it; --model
takes the folder `translation` of a run instead. --reverse exchanges sources and
targets. Peers learn TRAIN for as many seconds as the translator did, or for M minutes.

BLEU and chrF are sacrebleu's, of the text as it is: cased, tokenization 13a. The other
BLEU is for comparison with papers such as Wu et al. 2021 ("Good for Misconceived
Reasons", table 2), whose files are in lower case and tokenized: both sides are made
lower case, normalized and tokenized by sacremoses, as Multi30k's own files were by
Moses, and BLEU counts these tokens without smoothing, as multi-bleu.perl and fairseq
do. --languages names those of the columns, for the tokenizer.

A model's milliseconds are those of all sources, in batches of 64 on all cores, divided
by their number. A file translates one source after the other, with one thread: its
milliseconds are the median of the sources of 11 to 13 words, with their division into
pieces. Its memory is the peak of a new process that translates one.

It needs sacrebleu and sacremoses: `pip install -e '.[benchmark]'`.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
import timeit
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import sacremoses
import tensorflow as tf
from sacrebleu.metrics import BLEU, CHRF

import kerasseq
from benchmarks.decoder import print_table
from benchmarks.generation import machine
from benchmarks.generation_processes import run
from benchmarks.translation_joeynmt import train_joeynmt
from benchmarks.translation_keras import StopAfter, Trained, train_keras_example
from kerasseq.data.pairs import Pair, read_pairs
from kerasseq.files.keras_models import load_model
from kerasseq.on_device.model_file import Model
from kerasseq.on_device.translate import Translator
from kerasseq.signatures.translating import translate_ids
from kerasseq.signatures.translation import TranslationOnIds
from kerasseq.text.subwords import Subwords

SEARCHES = {"greedy": 1, "beam 4": 4, "beam 5": 5}
FORMATS, FILE_SEARCHES = ("float32", "float16", "int8"), ("greedy", "beam 4")
TIMED_WORDS = range(11, 14)
PROGRAM = Path(__file__).parent.parent / "kerasseq" / "on_device" / "translate.py"
# A small process between: one that is started counts the memory of the one before.
MEASURE = """
import sys
from benchmarks.generation_processes import run
print(run([sys.executable, *sys.argv[1:]]).megabytes)
"""


def score(
    translations: Sequence[str], references: Sequence[str], language: str
) -> dict[str, float]:
    """BLEU and chrF, 0 to 100, of translations into a language."""
    tokens, wanted = (
        [moses_tokens(text, language) for text in texts]
        for texts in (translations, references)
    )
    plain = BLEU(tokenize="none", force=True, smooth_method="none")
    return {
        "BLEU": BLEU().corpus_score(translations, [references]).score,
        "chrF": CHRF().corpus_score(translations, [references]).score,
        "BLEU, lower case, tokens": plain.corpus_score(tokens, [wanted]).score,
    }


def moses_tokens(text: str, language: str) -> str:
    """A text in lower case, normalized, with spaces between its tokens."""
    normalized = sacremoses.MosesPunctNormalizer(language).normalize(text.lower())
    return sacremoses.MosesTokenizer(language).tokenize(normalized, return_str=True)


def train_ours(pairs: Sequence[Pair], preset: str, out: Path) -> float:
    """Train and export as `kerasseq train` does; the seconds of all cores together."""
    path = out / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs))
    clock = StopAfter(math.inf)
    kerasseq.train(
        out=out,
        callbacks=[clock],
        only=["translation"],
        pairs=str(path),
        preset=preset,
    )
    return clock.core_seconds


def translate_with_model(
    folder: Path, sources: Sequence[str], core_seconds: float | None
) -> Trained:
    """Translate with the Keras model of a run."""
    report = json.loads((folder.parent / "report.json").read_text())["translation"]
    vocabulary = Subwords.load(folder / "vocabulary.json")
    translating = TranslationOnIds(load_model(folder / "translation.keras"))
    ids = [vocabulary.encode(source) for source in sources]
    texts, seconds = {}, {}
    for name, width in SEARCHES.items():
        translate_ids(translating, ids[:1], beam_width=width)  # compiles
        start = time.perf_counter()
        found = translate_ids(translating, ids, beam_width=width)
        seconds[name] = time.perf_counter() - start
        texts[name] = [vocabulary.decode(each.ids) for each in found]
    parameters, training = report["parameters"], report["seconds of training"]
    return Trained(parameters, training, core_seconds, texts, seconds)


def model_rows(
    name: str, trained: Trained, references: Sequence[str], language: str
) -> list[dict[str, Any]]:
    """A row for each search with a model."""
    return [
        {
            "model": name,
            "parameters": f"{trained.parameters:,}",
            "seconds of training": f"{trained.seconds:.0f}",
            "of all cores": f"{trained.core_seconds or math.nan:.0f}",
            "search": search,
            **score(texts, references, language),
            "ms a sentence": 1000 * trained.search_seconds[search] / len(texts),
        }
        for search, texts in trained.translations.items()
    ]


def file_rows(
    folder: Path, parameters: int, pairs: Sequence[Pair], language: str
) -> list[dict[str, Any]]:
    """A row for each file of a run and each search."""
    timed = [len(source.split()) in TIMED_WORDS for source, _ in pairs]
    if not any(timed):
        raise ValueError("no source has 11 to 13 words; give some that have")
    sentence = pairs[timed.index(True)].source
    rows = []
    for number_format in FORMATS:
        path = folder / f"translation_{number_format}.tflite"
        translator = Translator(Model(path))
        for search in FILE_SEARCHES:
            width = SEARCHES[search]
            texts, seconds = [], []
            for source, _ in pairs:
                start = time.perf_counter()
                texts.append(translator.translate(source, width).text)
                seconds.append(time.perf_counter() - start)
            some = [each for each, counts in zip(seconds, timed, strict=True) if counts]
            command = [str(PROGRAM), str(path), sentence, "--beam", str(width)]
            rows.append(
                {
                    "file": number_format,
                    "search": search,
                    "bytes a parameter": path.stat().st_size / parameters,
                    **score(texts, [pair.target for pair in pairs], language),
                    "ms a sentence": 1000 * median(some),
                    "MB": float(run([sys.executable, "-c", MEASURE, *command]).output),
                }
            )
    return rows


def product_rate(size: int = 4096) -> float:
    """Operations a second in a product of square float32 matrices."""
    matrix = tf.random.normal((size, size))
    times = timeit.repeat(lambda: tf.matmul(matrix, matrix).numpy(), number=1, repeat=5)
    return 2 * size**3 / min(times)


def read(path: Path, reverse: bool) -> list[Pair]:
    """Read pairs, with sources and targets exchanged if `reverse`."""
    return [Pair(*pair[:: -1 if reverse else 1]) for pair in read_pairs(path)]


def main() -> None:
    """Read the command line, train, translate and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("train", type=Path, metavar="TRAIN")
    parser.add_argument("test", type=Path, metavar="TEST")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--reverse", action="store_true")
    parser.add_argument("--languages", default="en,de", metavar="SOURCE,TARGET")
    parser.add_argument(
        "--peer", action="append", default=[], choices=("keras", "joeynmt")
    )
    parser.add_argument("--joeynmt", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--minutes", type=float, help="of training for each peer")
    options = parser.parse_args()
    known, pairs = (
        read(path, options.reverse) for path in (options.train, options.test)
    )
    sources, references = ([*column] for column in zip(*pairs, strict=True))
    language = options.languages.split(",")[0 if options.reverse else 1]
    metric = BLEU()
    metric.corpus_score(references, [references])
    print(f"{machine()}; {product_rate() / 1e9:.0f} GFLOP/s; {metric.get_signature()}")

    with tempfile.TemporaryDirectory() as out:
        core_seconds = None
        if not options.model:
            core_seconds = train_ours(known, options.preset, Path(out))
        folder = options.model or Path(out) / "translation"
        ours = translate_with_model(folder, sources, core_seconds)
        print_table(model_rows("kerasseq", ours, references, language))
        print_table(file_rows(folder, ours.parameters, pairs, language))

    seconds = 60 * options.minutes if options.minutes else ours.seconds
    for name in options.peer:
        if name == "keras":
            peer = train_keras_example(known, sources, seconds)
        else:
            peer = train_joeynmt(known, sources, seconds, options.joeynmt)
        print_table(model_rows(name, peer, references, language))


if __name__ == "__main__":
    main()
