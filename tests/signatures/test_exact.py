"""Products in eight bits are those of NumPy's integers, to the bit."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from kerasseq.files.tflite import convert
from kerasseq.signatures.exact import exact_product, exact_sigmoid

N, M = 41, 53
# An input's bound, and the power of two that its elements become multiples of.
UNITS = {"one": (1.0, 1 / 64), "two": (2.0, 1 / 32), "unknown": (None, 1 / 16)}


class Products(tf.Module):
    """A product for each row of UNITS; that of "unknown" with the rows of a matrix."""

    def __init__(self, matrix, bias):
        super().__init__()
        self.matrix, self.bias = tf.Variable(matrix), tf.Variable(bias)
        self.rows = tf.Variable(matrix.T)

    @tf.function(input_signature=[tf.TensorSpec((1, N), tf.float32, "x")])
    def __call__(self, x):
        return {
            name: exact_product(x, self.rows, self.bias, None, transpose=True)
            if bound is None
            else exact_product(x, self.matrix, self.bias, bound)
            for name, (bound, _) in UNITS.items()
        }


@pytest.fixture(scope="module")
def matrix():
    return np.random.default_rng(3).normal(size=(N, M)).astype(np.float32)


@pytest.fixture(scope="module")
def bias():
    return np.random.default_rng(4).normal(size=M).astype(np.float32)


@pytest.fixture(scope="module")
def multiply(matrix, bias):
    module = Products(matrix, bias)
    signatures = {"multiply": module.__call__.get_concrete_function()}
    model = Interpreter(model_content=convert(module, signatures, "int8"))
    return model.get_signature_runner("multiply")


@pytest.mark.parametrize("name", UNITS)
def test_only_the_input_of_a_product_is_rounded(multiply, matrix, bias, name):
    bound, unit = UNITS[name]
    rng = np.random.default_rng(5)
    scales = np.abs(matrix).max(axis=0) / np.float32(127)
    weights = np.round(matrix / scales).astype(int)
    for _ in range(20):
        largest = bound or 7.9
        x = rng.uniform(-largest, largest, (1, N)).astype(np.float32)
        # Ends, and ties, which NumPy rounds to even numbers.
        x[0, :6] = largest, -0.3 * largest, *(np.array([0.5, 1.5, 2.5, -3.5]) * unit)
        whole = np.round(x / np.float32(unit)).astype(int) @ weights
        expected = (whole * unit).astype(np.float32) * scales + bias
        np.testing.assert_array_equal(multiply(x=x)[name], expected)


def test_an_unknown_bound_is_found_from_the_largest_element(multiply, matrix, bias):
    for largest, unit in ((1e-3, 2.0**-16), (1.0, 1 / 64), (127.0, 1.0), (128.0, 2.0)):
        x = np.full((1, N), largest, np.float32)
        x[0, 1:3] = 0.5 * unit, 1.5 * unit
        found = multiply(x=x)["unknown"]
        x[0, 1:3] = 0, 2 * unit
        np.testing.assert_array_equal(multiply(x=x)["unknown"], found)
        np.testing.assert_allclose(found, x @ matrix + bias, atol=0.01 * largest * N)


def test_the_sigmoid_is_the_sigmoid():
    x = tf.linspace(-30.0, 30.0, 997)
    np.testing.assert_allclose(exact_sigmoid(x), tf.sigmoid(x), atol=2e-7)


def test_halves_of_a_unit_become_even_before_the_product():
    """So no processor gets to round them; NumPy's rounding is to even, too."""
    unit = np.float32(2**-6)  # the least power of two of which 127 reach 1
    x = np.arange(-127, 128, dtype=np.float32)[None] / 2 * unit
    zeros = np.zeros(x.shape[1], np.float32)
    product = exact_product(x, np.eye(x.shape[1], dtype=np.float32), zeros, 1.0)
    np.testing.assert_array_equal(product, np.rint(x / unit) * unit)
