"""The signatures that the contract promises, with their types and shapes."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

if __package__:
    from .card import CHARACTERS, CLASSIFIER, ENCODER, TAGGER, TRANSLATOR, WORDS
    from .tokens import CHUNK
else:  # copied: beside one another
    from card import (  # type: ignore[no-redef]
        CHARACTERS,
        CLASSIFIER,
        ENCODER,
        TAGGER,
        TRANSLATOR,
        WORDS,
    )
    from tokens import CHUNK  # type: ignore[no-redef]

# A type and a shape, in which None is any size.
Tensor: TypeAlias = tuple[str, tuple[int | None, ...]]
# Inputs and outputs by name.
Ends: TypeAlias = tuple[dict[str, Tensor], dict[str, Tensor]]


def promised(card: Mapping[str, Any]) -> dict[str, Ends]:
    """The signatures of a model by name, from its card."""
    kind = card["kind"]
    if kind in (CHARACTERS, WORDS):
        states = _numbered("state", card)
        own = card.get("own_words", 0) if kind == WORDS else 0
        logits = _float32(1, card["vocabulary_size"] + own)
        step = {"token": _int32(1), **states}, {"logits": logits, **states}
        if kind == WORDS:
            return {"step": step}
        settings = {
            "prompt": _int32(CHUNK),
            "prompt_length": _int32(1),
            "length": _int32(1),
            "uniforms": _float32(CHUNK),
            "temperature": _float32(1),
            "top_k": _int32(1),
            "top_p": _float32(1),
            "min_p": _float32(1),
        }
        generate = settings | states, {"tokens": _int32(CHUNK), **states}
        return {"step": step, "generate": generate}
    length = card["length"]
    if kind == TRANSLATOR:
        return _promised_of_translator(card, length)
    ids, weights = _int32(1, length), _float32(1, length)
    if kind in (TAGGER, CLASSIFIER):
        letters = _int32(1, length, card["num_letters"])
    if kind == TAGGER:
        return {"tag": ({"word_ids": ids, "letters": letters}, {"tags": ids})}
    if kind == CLASSIFIER:
        probabilities = _float32(1, len(card["labels"]))
        outputs = {"probabilities": probabilities, "weights": weights}
        return {"classify": ({"token_ids": ids, "letters": letters}, outputs)}
    assert kind == ENCODER
    outputs = {
        "embeddings": _float32(1, length, None),
        "weights": _float32(1, None, None, length, length),
    }
    return {"encode": ({"token_ids": ids}, outputs)}


def _promised_of_translator(card: Mapping[str, Any], length: int) -> dict[str, Ends]:
    memory, states = _numbered("memory", card), _numbered("state", card)
    memory["source_mask"] = _float32(1, length)
    source = {"source_ids": _int32(1, length)}
    settings = {
        "beam_width": _int32(1),
        "length_penalty": _float32(1),
        "max_length": _int32(1),
        "temperature": _float32(1),
        "uniforms": _float32(length),
    }
    found = {
        "ids": _int32(1, length),
        "score": _float32(1),
        "alignment": _float32(1, length, length),
        "finished": _int32(1),
    }
    rows = card["state_shapes"][-1][0]
    read = {
        "logits": _float32(rows, card["vocabulary_size"]),
        "alignment": _float32(rows, length),
    }
    return {
        "translate": (source | settings, found),
        "encode": (source, memory),
        "step": ({"token": _int32(rows), **memory, **states}, read | states),
    }


def check_signatures(found: Mapping[str, Ends], card: Mapping[str, Any]) -> None:
    """Check that a model has what the contract and its card promise.

    Raises:
        ValueError: a signature is missing, or has other tensors.
    """
    wanted = promised(card)
    if set(found) != set(wanted):
        raise ValueError(
            f"the model has the signatures {sorted(found)}, not {sorted(wanted)}; "
            "export it again"
        )
    for name, ends in wanted.items():
        for way, tensors, there in zip(
            ("input", "output"), ends, found[name], strict=True
        ):
            if set(tensors) != set(there):
                raise ValueError(
                    f"{name} has the {way}s {sorted(there)}, where the card promises "
                    f"{sorted(tensors)}"
                )
            for key, tensor in tensors.items():
                if not _fits(there[key], tensor):
                    raise ValueError(
                        f"{way} {key} of {name} is {_shown(there[key])}, where the "
                        f"card promises {_shown(tensor)}"
                    )


def check_answer(
    outputs: Mapping[str, np.ndarray], tensors: Mapping[str, Tensor], card: Mapping
) -> None:
    """Check the shapes of outputs, and the ids among them.

    Raises:
        ValueError: a runtime found another shape than the file says, or the model
            answers with an id that stands for nothing.
    """
    count = len(card["tags"]) if card["kind"] == TAGGER else card["vocabulary_size"]
    for name, (kind, shape) in tensors.items():
        found = outputs[name]
        if found.shape != shape:
            raise ValueError(f"{name} has the shape {found.shape}, not {shape}")
        if kind == "int32" and not (found.min() >= 0 and found.max() < count):
            raise ValueError(f"{name} has an id that is not one of {count}")


def _numbered(name: str, card: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors of the shapes that a card lists, as `state_0`, `state_1` and so on."""
    return {
        f"{name}_{index}": _float32(*shape)
        for index, shape in enumerate(card[f"{name}_shapes"])
    }


def _int32(*shape: int | None) -> Tensor:
    return "int32", shape


def _float32(*shape: int | None) -> Tensor:
    return "float32", shape


def _fits(found: Tensor, wanted: Tensor) -> bool:
    return (
        found[0] == wanted[0]
        and len(found[1]) == len(wanted[1])
        and all(w in (None, f) for f, w in zip(found[1], wanted[1], strict=True))
    )


def _shown(tensor: Tensor) -> str:
    return f"{tensor[0]}{['any' if size is None else size for size in tensor[1]]}"
