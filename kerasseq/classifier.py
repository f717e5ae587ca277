"""The classifier: words -> embeddings -> encoder blocks -> attention pooling -> classes.

Shapes: B batch, T words, H heads, C model size, K classes, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kerasseq.attention import Shape, Tensor
from kerasseq.pooling import AttentionPooling
from kerasseq.transformer import PADDING_ID, EncoderBlock, SinusoidalPositions

UNKNOWN_ID = 1
