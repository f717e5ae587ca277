"""Silence for what a user cannot act on."""

import os


def hush() -> None:
    """Keep TensorFlow's start-up quiet; call it before TensorFlow is loaded."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
