"""Range checks that layers and configurations share."""

from dataclasses import fields
from typing import Any


def check_config(config: Any, **least: int) -> None:
    """Check a dataclass: integers from 1 up, or from `least`; floats in [0, 1)."""
    for field in fields(config):
        named = {field.name: getattr(config, field.name)}
        if field.type is int:
            check_at_least(least.get(field.name, 1), **named)
        elif field.type is float:
            check_fraction(**named)


def check_at_least(least: int, **sizes: int) -> None:
    for name, size in sizes.items():
        if size < least:
            raise ValueError(f"{name}={size} must be at least {least}")


def check_fraction(**fractions: float) -> None:
    for name, fraction in fractions.items():
        if not 0 <= fraction < 1:
            raise ValueError(f"{name}={fraction} is not from 0 to below 1")


def check_probability(**probabilities: float) -> None:
    for name, probability in probabilities.items():
        if not 0 <= probability <= 1:
            raise ValueError(f"{name}={probability} is not from 0 to 1")


def check_divisible(model_size: int, num_heads: int) -> None:
    if model_size % num_heads:
        raise ValueError(
            f"model_size={model_size} is not divisible by num_heads={num_heads}; "
            f"choose a multiple of {num_heads}"
        )


def check_even_heads(model_size: int, num_heads: int) -> None:
    if model_size % (2 * num_heads):
        raise ValueError(
            f"model_size={model_size} divided by num_heads={num_heads} is not an even "
            f"size; choose a multiple of {2 * num_heads}"
        )
