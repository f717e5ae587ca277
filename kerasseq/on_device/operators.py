"""The operations in a TFLite flatbuffer: which an export uses, and how."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

if __package__:
    from .flatbuffer import BYTE, FLAG, FLOAT, INT32, Fields
else:  # copied: beside one another
    from flatbuffer import (  # type: ignore[no-redef]
        BYTE,
        FLAG,
        FLOAT,
        INT32,
        Fields,
    )

# The types of tensors: a letter, a name, and bits.
TYPES = {
    0: ("f", "float32", 32),
    1: ("h", "float16", 16),
    2: ("i", "int32", 32),
    6: ("b", "bool", 8),
    9: ("q", "int8", 8),
    17: ("u", "int4", 4),
}
# The operations that an export uses, and element-wise ones that a cell of one's own may
# use: number, name, union of options, and types of inputs and outputs. A letter is a
# type of TYPES, in capitals where the tensor must be a constant; `-` is a missing bias.
# Otherwise they are regular expressions.
_OPERATIONS = """
  0 ADD                11 ff>f ii>i
  2 CONCATENATION      10 f+>f i+>i b+>b
  3 CONV_2D             1 f[fFQ][fF]>f
  6 DEQUANTIZE          0 H>f q>f Q>f
  8 FLOOR               0 f>f
  9 FULLY_CONNECTED     8 f[fFQU][fF-]>f
 14 LOGISTIC            0 f>f
 18 MUL                21 ff>f ii>i
 19 RELU                0 f>f
 20 RELU_N1_TO_1        0 f>f
 21 RELU6               0 f>f
 22 RESHAPE             0 fI>f iI>i bI>b
 25 SOFTMAX             9 f>f
 28 TANH                0 f>f
 36 GATHER             23 fi>f ii>i bi>b Qi>q
 39 TRANSPOSE           0 fI>f iI>i
 40 MEAN               27 fI>f
 41 SUB                28 ff>f ii>i
 42 DIV                29 ff>f
 45 STRIDED_SLICE      32 fiiI>f iiiI>i biiI>b
 47 EXP                33 f>f
 48 TOPK_V2            34 fI>fi
 49 SPLIT              35 If>f+
 53 CAST               37 b>f b>i f>i i>f q>f
 55 MAXIMUM             0 ff>f ii>i
 56 ARG_MAX            40 fI>i
 57 MINIMUM             0 ff>f ii>i
 58 LESS                0 ff>b ii>b
 59 NEG                42 f>f i>i
 61 GREATER             0 ff>b ii>b
 62 GREATER_EQUAL       0 ff>b ii>b
 63 LESS_EQUAL          0 ff>b ii>b
 64 SELECT             47 bff>f bii>i
 65 SLICE               0 fii>f iii>i
 66 SIN                 0 f>f
 71 EQUAL               0 ff>b ii>b
 72 NOT_EQUAL           0 ff>b ii>b
 73 LOG                 0 f>f
 74 SUM                27 fI>f iI>i
 75 SQRT                0 f>f
 76 RSQRT               0 f>f
 78 POW                56 ff>f
 82 REDUCE_MAX         27 fI>f
 83 PACK               59 f+>f
 84 LOGICAL_OR          0 bb>b
 86 LOGICAL_AND         0 bb>b
 87 LOGICAL_NOT        63 b>b
 92 SQUARE             66 f>f
 94 FILL               68 If>f Ii>i
 95 FLOOR_MOD           0 iI>i
 99 SQUARED_DIFFERENCE  0 ff>f
101 ABS                78 f>f
104 CEIL                0 f>f
105 REVERSE_V2          0 fI>f iI>i
108 COS                 0 f>f
111 ELU                 0 f>f
112 REVERSE_SEQUENCE   87 fi>f
116 ROUND               0 f>f
118 IF                 92 b[fibFIB]*>[fib]+
119 WHILE              93 [fibFIB]+>[fib]+
122 SCATTER_ND         97 ifI>f
123 SELECT_V2          98 bff>f bii>i
126 BATCH_MATMUL      101 ff>f
128 CUMSUM            102 fI>f
150 GELU              116 f>f
"""
GATHER, IF, WHILE = 36, 118, 119


def _activation(source: Any, at: int) -> int:
    """A function that is fused with an operation."""
    if not 0 <= (found := BYTE(source, at)) <= 5:
        raise ValueError(f"there is no activation {found}")
    return found


class Operation(NamedTuple):
    """What an operation must be: `types` matches its inputs, ">" and its outputs."""

    name: str
    union: int
    types: re.Pattern


def _operation(name: str, union: str, *types: str) -> Operation:
    # Where a variable may be, a constant may be too.
    either = {letter: f"[{letter}{letter.upper()}]" for letter, _, _ in TYPES.values()}
    patterns = []
    for each in types:
        inputs, outputs = each.split(">")
        if "[" not in inputs:
            inputs = "".join(either.get(letter, letter) for letter in inputs)
        patterns.append(f"{inputs}>{outputs}")
    return Operation(name, int(union), re.compile("|".join(patterns)))


OPERATIONS = {
    int(code): _operation(*row)
    for code, *row in map(str.split, _OPERATIONS.strip().split("\n"))
}
# The fields of each union of options, by its number.
OPTIONS: Mapping[int, Fields] = {
    1: {1: INT32, 2: INT32, 3: _activation},  # CONV_2D, without dilation
    8: {0: _activation, 2: FLAG, 3: FLAG},
    9: {0: FLOAT},
    10: {0: INT32},
    23: {0: INT32, 1: INT32},
    27: {0: FLAG},
    32: {each: INT32 for each in range(5)},
    35: {0: INT32},
    37: {0: BYTE, 1: BYTE},
    40: {0: BYTE},
    59: {0: INT32, 1: INT32},
    87: {0: INT32, 1: INT32},
    92: {0: INT32, 1: INT32},
    93: {0: INT32, 1: INT32},
    101: {0: FLAG, 1: FLAG},
    102: {0: FLAG, 1: FLAG},
    116: {0: FLAG},
    **{each: {0: _activation} for each in (11, 21, 28, 29)},
    **{each: {} for each in (33, 34, 42, 47, 56, 63, 66, 68, 78, 97, 98)},
}


def list_operators(flatbuffer: bytes) -> list[str]:
    """Names of the operations in a flatbuffer; custom ones as `CUSTOM:name`.

    Flex operations, which need TensorFlow on the device, are among the custom ones.
    """
    try:
        from ai_edge_litert import schema_py_generated as schema
    except ImportError as error:
        raise ValueError(
            f"LiteRT cannot be loaded ({error}); run `pip install ai-edge-litert`"
        ) from None

    model = schema.ModelT.InitFromPackedBuf(flatbuffer)
    names = {
        value: name
        for name, value in vars(schema.BuiltinOperator).items()
        if not name.startswith("_")
    }
    found = set()
    for code in model.operatorCodes:
        # Codes above 127 do not fit the older of the two fields.
        builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
        custom = code.customCode
        found.add(f"CUSTOM:{custom.decode()}" if custom else names[builtin])
    return sorted(found)
