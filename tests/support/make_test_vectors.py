"""Make export/test_vectors.json: `python tests/support/make_test_vectors.py`.

An independent implementation of the contract: plain Python in double precision, from
the text of export/README.md and without the project's code. Random cases are kept only
where float32 rounding cannot change the answer. The package `regex` knows properties
of characters.
"""

import json
import math
import random
import struct
from pathlib import Path

import regex

VECTORS = Path(__file__).parents[2] / "export" / "test_vectors.json"
NEUTRAL = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
NAN, INFINITY = math.nan, math.inf
# The least distance of a random case from a border to another token.
MARGIN = 1e-4
MASK = 2**32 - 1
# The kinds of characters of a text.
MARK = r"[\p{M}\u200c\u200d\p{Emoji_Modifier}\U000e0020-\U000e007f]"
INVISIBLE = rf"[[\p{{Cf}}&&\p{{Default_Ignorable_Code_Point}}]--{MARK}]"
SIGN = rf"[[\p{{P}}\p{{S}}]--{MARK}]"
LETTER = rf"[^\p{{White_Space}}{SIGN}{MARK}{INVISIBLE}]"
TAIL = rf"[{MARK}{INVISIBLE}]*"
WORD = regex.compile(
    rf"""(?: {LETTER} {TAIL}
           | (?<= {LETTER} {TAIL}) ['’\-‐‑_·׳״] {TAIL} (?= {LETTER}) )+
       | (?: {SIGN} {TAIL} (?: (?<= \u200d) {SIGN} {TAIL} )* )""",
    regex.V1 | regex.VERBOSE,
)
TEXTS = (
    "'I do,' he said: dogs' don\u2019t. 'Tis well\u2010known -- __init__ a_b",
    "\ufeffstr\u00ading\u00a0! a\u200bb\u00ad, \u0301c\u0301 \u200e\u05e9\u200f.",
    "❤️ 👍🏽 👩\u200d💻👩 🇩🇪 C++ 3.14 $5 x\0y\x1cz \ufffd",
    "«Σας;» Ναι· Это — книга… col·lecció ça'",
    "है। क्\u200dष, من هنا؟ می\u200cخواهم، צה״ל.",
    "你好，世界！「はい」。 สวัสดี ሰላም፡ዓለም። Այո։",
)


def float32(number: float) -> float:
    return struct.unpack("f", struct.pack("f", number))[0]


def numerator(seed: int, index: int) -> int:
    """u(seed, index) times 2^24."""

    def mix(x: int) -> int:
        x ^= x >> 16
        x = x * 0x85EBCA6B & MASK
        x ^= x >> 13
        x = x * 0xC2B2AE35 & MASK
        return x ^ x >> 16

    start = mix((seed + 0x9E3779B9) & MASK)
    return mix((start + index * 0x9E3779B9) & MASK) >> 8


def choose(
    logits: list[float],
    uniform: float,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
) -> tuple[int, float]:
    """The token, and the distance of the closest decision from the other outcome."""
    logits = [-1e30 if not x > -1e30 else min(x, 1e30) for x in logits]
    best = max(logits)
    if temperature == 0:
        return logits.index(best), math.inf
    divisor = min(max(temperature, 1e-6), 1e6)
    weights = [math.exp((x - best) / divisor) for x in logits]
    order = sorted(range(len(logits)), key=lambda i: (-logits[i], i))
    margin = math.inf
    kept = order[: top_k or None]
    if 0 < top_k < len(order):
        gap = logits[order[top_k - 1]] - logits[order[top_k]]
        margin = min(margin, gap or math.inf)  # a tie is decided by the ids
    margin = min([margin] + [abs(weights[i] - min_p) for i in kept if min_p > 0])
    kept = [i for i in kept if weights[i] >= min_p]
    if top_p < 1:
        total, running, head = sum(weights[i] for i in kept), 0.0, []
        for i in kept:
            if head:
                margin = min(margin, abs(running / total - top_p))
            if not head or running < top_p * total:
                head.append(i)
            running += weights[i]
        kept = head
    total, running, token = sum(weights[i] for i in kept), 0.0, None
    for i in sorted(kept):
        running += weights[i]
        margin = min(margin, abs(running / total - uniform) if running < total else 1)
        if token is None and running > uniform * total:
            token = i
    return sorted(kept)[-1] if token is None else token, margin


def by_hand() -> list[dict]:
    """Edge cases, whose answers are written here and not computed."""
    four = [0.0, 0.0, 0.0, 0.0]
    rising = [0.0, 1.0, 2.0, 3.0]
    most = 1 - 2.0**-24
    cases = [
        ("a number at a boundary belongs to the next token", four, 0.5, {}, 2),
        ("the least number", four, 0.0, {}, 0),
        ("the greatest number", four, most, {}, 3),
        ("one token", [7.5], 0.9, {}, 0),
        ("one token, filtered", [7.5], 0.9, {"top_k": 3, "top_p": 0.2}, 0),
        ("temperature 0", rising, 0.0, {"temperature": 0.0}, 3),
        ("temperature 0, tie", [1.0, 5.0, 5.0], 0.9, {"temperature": 0.0}, 1),
        (
            "temperature 0 whatever else is set",
            rising,
            0.0,
            {"temperature": 0.0, "top_k": 2, "top_p": 0.5, "min_p": 0.5},
            3,
        ),
        ("a small temperature", rising, 0.0, {"temperature": 1e-9}, 3),
        ("a small temperature, tie", [5.0, 5.0], 0.75, {"temperature": 1e-9}, 1),
        ("a large temperature", rising, 0.3, {"temperature": 1e30}, 1),
        (
            "the largest keeps the order",
            rising,
            0.0,
            {"temperature": 3e38, "top_k": 1},
            3,
        ),
        (
            "the largest keeps the order of ties and others",
            [1.0, 2.0, 2.0, 1.5],
            most,
            {"temperature": 1e30, "top_p": 0.5},
            2,
        ),
        ("top-k 1", rising, 0.0, {"top_k": 1}, 3),
        ("top-k, tie by lower id", four, most, {"top_k": 2}, 1),
        ("top-k above the vocabulary", four, most, {"top_k": 2**31 - 1}, 3),
        ("top-k of the vocabulary", four, most, {"top_k": 4}, 3),
        ("top-p 0 keeps the likeliest", rising, 0.0, {"top_p": 0.0}, 3),
        ("top-p 0, tie by lower id", four, most, {"top_p": 0.0}, 0),
        ("top-p reached by two of four", four, most, {"top_p": 0.5}, 1),
        ("top-p just above two of four", four, most, {"top_p": 0.5625}, 2),
        ("top-p 1 keeps all", four, most, {"top_p": 1.0, "top_k": 4}, 3),
        ("min-p 1 keeps the likeliest", rising, 0.0, {"min_p": 1.0}, 3),
        ("min-p 1 keeps ties", [2.0, 0.0, 2.0], 0.5, {"min_p": 1.0}, 2),
        ("min-p 0.5", [0.0, 5.0, 5.0], 0.0, {"min_p": 0.5}, 1),
        ("all settings", four, most, {"top_k": 3, "top_p": 0.5, "min_p": 1.0}, 1),
        ("the last kept is not the last", [3.0, -50.0], most, {"top_k": 1}, 0),
        ("a token beyond reach", [0.0, -1e6, 0.0], 0.5, {}, 2),
        ("NaN is never chosen", [NAN, 0.0, NAN], 0.0, {}, 1),
        ("NaN is not the likeliest", [NAN, 0.0, 1.0], 0.5, {"temperature": 0.0}, 2),
        ("NaN, filtered", [0.0, NAN, 0.0], most, {"top_k": 2}, 2),
        ("NaN alone ties", [NAN, NAN, NAN, NAN], 0.5, {}, 2),
        ("NaN alone, greedy", [NAN, NAN], 0.9, {"temperature": 0.0}, 0),
        ("infinity wins", [0.0, INFINITY, 5.0], 0.0, {}, 1),
        ("infinities tie", [INFINITY, 0.0, INFINITY], 0.5, {}, 2),
        ("infinity ties with 1e30", [1e30, INFINITY], 0.0, {"temperature": 0.0}, 0),
        ("minus infinity loses", [-INFINITY, 0.0], 0.0, {}, 1),
        ("minus infinity alone ties", [-INFINITY, -INFINITY], 0.5, {}, 1),
        ("all odd ones", [NAN, -INFINITY, INFINITY, 1.0], 0.9, {"top_p": 0.9}, 2),
        ("large logits", [3e38, -3e38, 1.0], 0.0, {"temperature": 1e-9}, 0),
    ]
    return [
        case(name, logits, uniform, {**NEUTRAL, **settings}, token)
        for name, logits, uniform, settings, token in cases
    ]


def drawn(count: int) -> list[dict]:
    """Random cases, with vocabularies of 2 to 300."""
    chance = random.Random(20260101)
    cases: list[dict] = []
    while len(cases) < count:
        size = chance.choice([2, 3, 7, 27, 65, 300])
        spread = chance.choice([0.5, 2.0, 6.0])
        # Few digits, so that there are ties and the file stays small.
        logits = [round(chance.gauss(0, spread), 2) for _ in range(size)]
        logits = [float32(logit) for logit in logits]
        settings = {
            "temperature": float32(chance.choice([1.0, 1.0, 0.7, 0.2, 1.6])),
            "top_k": chance.choice([0, 0, 1, 3, size // 2, size]),
            "top_p": float32(chance.choice([1.0, 1.0, 0.9, 0.5, 0.05])),
            "min_p": float32(chance.choice([0.0, 0.0, 0.02, 0.3])),
        }
        uniform = numerator(len(cases), size) / 2**24
        token, margin = choose(logits, uniform, **settings)
        if margin > MARGIN:
            name = f"drawn {len(cases)}"
            cases.append(case(name, logits, uniform, settings, token))
    return cases


def case(
    name: str, logits: list[float], uniform: float, settings: dict, token: int
) -> dict:
    words = {NAN: "NaN", INFINITY: "Infinity", -INFINITY: "-Infinity"}
    shown = [
        "NaN" if math.isnan(x) else words.get(x, x) if math.isinf(x) else short(x)
        for x in logits
    ]
    settings = {key: short(value) for key, value in settings.items()}
    return {
        "name": name,
        "logits": shown,
        "uniform": uniform,
        **settings,
        "token": token,
    }


def short(number: float) -> float:
    """The shortest decimal that gives the same float32."""
    if isinstance(number, int):
        return number
    for digits in range(1, 10):
        text = float(f"{number:.{digits}g}")
        if float32(text) == float32(number):
            return text
    return number


def divide(text: str) -> list[tuple[str, int, int]]:
    """The words of a text, each with its offsets."""
    plain = str.maketrans({"’": "'", "‐": "-", "‑": "-"})
    unwritten = regex.compile(INVISIBLE, regex.V1)
    return [
        (unwritten.sub("", match[0]).translate(plain), *match.span())
        for match in WORD.finditer(text)
    ]


def make() -> str:
    """The file's text."""
    starts = [(0, 0), (1, 0), (2**31 - 1, 0), (12345, 1_000_000), (7, 2**31 - 8)]
    uniforms = [
        {
            "seed": seed,
            "start": start,
            "numerators": [numerator(seed, start + i) for i in range(8)],
        }
        for seed, start in starts
    ]
    vectors = {
        "contract": 3,
        "uniforms": uniforms,
        "tokens": by_hand() + drawn(200),
        "words": [{"text": text, "words": divide(text)} for text in TEXTS],
    }
    rows = ",\n".join(
        f'"{key}": [\n' + ",\n".join(map(json.dumps, value)) + "\n]"
        if isinstance(value, list)
        else f'"{key}": {value}'
        for key, value in vectors.items()
    )
    return f"{{\n{rows}\n}}\n"


if __name__ == "__main__":
    VECTORS.write_text(make(), encoding="utf-8")
