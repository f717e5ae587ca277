"""Range checks that layers and configurations share."""


def check_at_least_one(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name}={size} must be at least 1")


def check_dropout(dropout: float) -> None:
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout} is not from 0 to below 1")


def check_divisible(model_size: int, num_heads: int) -> None:
    if model_size % num_heads:
        raise ValueError(
            f"model_size={model_size} is not divisible by num_heads={num_heads}; "
            f"choose a multiple of {num_heads}"
        )
