"""What reaches the screen of a command, and what does not."""

import os
import subprocess
import sys

import pytest

from kerasseq.quiet import NOISE

NATIVE = """
import os, warnings
import numpy as np
from kerasseq.quiet import hush
hush()
import tensorflow as tf
tf.config.list_physical_devices()
tf.constant(1.0) + 1
from kerasseq.files.runtimes import open_signatures
from kerasseq.files.tflite import convert
module = tf.Module()
double = tf.function(lambda x: {"y": x + x}).get_concrete_function(
    tf.TensorSpec((3,), name="x")
)
flatbuffer = convert(module, {"double": double})
for runtime in ("interpreter", "compiled_model"):
    open_signatures(flatbuffer, runtime)["double"](x=np.ones(3, "float32"))
"""


def errors_of(program: str, **options) -> subprocess.CompletedProcess:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "1"}
    return subprocess.run(
        [sys.executable, "-c", program],
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        **options,
    )


@pytest.mark.slow
def test_the_libraries_chatter_is_hidden_and_warnings_are_shown():
    program = NATIVE + (
        "warnings.warn('a warning of Python')\n"
        "tf.get_logger().warning('a warning of TensorFlow')\n"
        "tf.get_logger().warning('5 calls to f triggered tf.function retracing.')\n"
        "os.write(2, b'W0000 00:00:1 1 f.cc:1] a warning of native code\\n')\n"
    )
    lines = errors_of(program).stderr.splitlines()
    # A Python logger may have two handlers.
    kept = set(lines)
    assert len(kept) == 3, lines
    # Native code writes to the screen without Python.
    for words in ("of Python", "of TensorFlow", "of native code"):
        assert any(line.endswith(f"a warning {words}") for line in kept), kept


def test_the_message_of_crashing_native_code_is_shown():
    program = (
        "import os; from kerasseq.quiet import hush; hush()\n"
        "os.write(2, b'F0000 check failed: the last words'); os.abort()"
    )
    done = errors_of(program)
    assert done.returncode < 0
    assert done.stderr == "F0000 check failed: the last words"


@pytest.mark.parametrize(
    "line",
    [
        b"E0000 00:00:1.7 2283 util.cc:131] oneDNN supports DT_INT64 only on platforms "
        b"with AVX-512. Falling back to the default Eigen-based implementation.",
        b"E0000 00:00:1.7 5821 node_def_util.cc:682] NodeDef mentions attribute Truncat"
        b"e which is not in the op definition: Op<name=Identity; signature=input:T>",
        b"W0000 00:00:1.7 13597 op_level_cost_estimator.cc:699] Error in PredictCost() "
        b"for the op: only one which is not known",
    ],
)
def test_lines_of_a_training_are_noise(line):
    assert NOISE.match(line)
    assert not NOISE.match(line[:55])


def test_standard_error_may_be_closed():
    program = "from kerasseq.quiet import hush; hush(); print('done')"
    done = subprocess.run(
        ["sh", "-c", f'{sys.executable} -c "{program}" 2>&-'],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_a_process_that_cannot_be_started_is_not_needed():
    program = (
        "import sys; from kerasseq.quiet import hush\n"
        "sys.executable = '/none'; hush(); print('shown', file=sys.stderr)"
    )
    done = errors_of(program)
    assert (done.returncode, done.stderr) == (0, "shown\n")
