"""Other runtimes with the same weights: PyTorch and ONNX Runtime.

Each is tried in several forms, and the tables show the fastest. `pip install -e
'.[benchmark]'` installs both; where one is missing, only what needs it fails.
"""

import contextlib
import functools
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks.generation_runtimes import (
    FIRST_TOKEN,
    SEED,
    TEMPERATURE,
    Logits,
    Writer,
)
from kerasseq.on_device.sampling import choose_token
from kerasseq.on_device.tokens import uniform_numbers

with contextlib.suppress(ImportError):
    import torch
with contextlib.suppress(ImportError):
    import onnx
    import onnx.parser
    import onnxruntime
    from onnxruntime import quantization

# Indices into Keras's gates in the others' order. Keras has update, reset, candidate
# in a GRU and input, forget, candidate, output in an LSTM.
TORCH_GATES = {"gru": (1, 0, 2), "lstm": (0, 1, 2, 3)}
ONNX_GATES = {"gru": (0, 1, 2), "lstm": (0, 3, 1, 2)}
# With the candidate last, one sigmoid covers the other gates.
PLAIN_GATES = {"gru": (0, 1, 2), "lstm": (0, 1, 3, 2)}


def recurrent_weights(
    model: keras.Model, gates: tuple[int, ...]
) -> tuple[np.ndarray, ...]:
    """Kernel (E, G*H), its bias (G*H,), and the same of the recurrent part.

    Args:
        model: from `build_char_rnn`, with one recurrent layer.
        gates: which of Keras's gates is at each position.
    """
    kernel, recurrent_kernel, bias = model.layers[2].get_weights()
    if bias.ndim == 1:
        bias = np.stack([bias, np.zeros_like(bias)])
    return tuple(
        np.concatenate(
            [np.split(weights, len(gates), axis=-1)[gate] for gate in gates], axis=-1
        )
        for weights in (kernel, bias[0], recurrent_kernel, bias[1])
    )


def torch_writers(model: keras.Model, cell: str) -> Iterator[Writer]:
    """PyTorch: layer or cell, eager or scripted, float32 or dynamic int8."""
    # What is deprecated there is still in common use.
    warnings.filterwarnings("ignore", message=".*deprecated")
    torch.set_num_threads(1)
    for form in ("layer", "cell"):
        for weights, module in torch_modules(model, cell, form).items():
            kind = type(module.recurrent).__name__.removeprefix("DynamicQuantized")
            scripted = torch_scripted(module)
            yield torch_writer("torch eager", f"nn.{kind}", weights, "step", module)
            yield torch_writer("torch.jit", f"nn.{kind}", weights, "loop", scripted)


def torch_modules(model: keras.Model, cell: str, form: str) -> dict[str, Any]:
    """Steps by their weights, float32 and int8; see `torch_step`."""
    step = torch_step(model, cell, form)
    quantized = torch.ao.quantization.quantize_dynamic(
        step, {type(step.recurrent), torch.nn.Linear}, dtype=torch.qint8
    )
    return {"float32": step, "int8": quantized}


def torch_scripted(module: Any) -> Any:
    """A step and its loop as TorchScript."""
    return torch.jit.freeze(
        torch.jit.script(module), preserved_attrs=["zeros", "write"]
    )


def save_torch(model: keras.Model, cell: str, directory: Path) -> None:
    """Save the scripted modules that open and run fastest."""
    for weights, module in torch_modules(model, cell, "cell").items():
        torch.jit.save(torch_scripted(module), directory / f"torch_{weights}.pt")


def torch_writer(runtime: str, form: str, weights: str, way: str, step: Any) -> Writer:
    """A writer for a step module, scripted or not."""

    @torch.inference_mode()
    def write(count: int) -> np.ndarray:
        uniforms = torch.from_numpy(uniform_numbers(SEED, 0, count))
        return step.write(torch.tensor([FIRST_TOKEN]), uniforms, TEMPERATURE).numpy()

    @torch.inference_mode()
    def logits(ids: np.ndarray) -> np.ndarray:
        one, two, rows = step.zeros(), step.zeros(), []
        for token in ids:
            row, one, two = step(torch.tensor([int(token)]), one, two)
            rows.append(row[0].numpy())
        return np.stack(rows)

    return Writer(runtime, form, weights, way, False, write, logits)


def torch_step(model: keras.Model, cell: str, form: str) -> Any:
    """A module from token (1,) and two states to logits (1, V) and the states.

    Args:
        model: whose weights it takes.
        cell: "gru" or "lstm"; the second state means nothing to a GRU.
        form: "layer" for nn.GRU and nn.LSTM, "cell" for nn.GRUCell and nn.LSTMCell.
    """

    class Step(torch.nn.Module):
        as_cell: torch.jit.Final[bool]
        two_states: torch.jit.Final[bool]

        def __init__(self, vocabulary: int, embedding: int, units: int) -> None:
            super().__init__()
            self.as_cell, self.two_states = form == "cell", cell == "lstm"
            kinds = {
                "layer": {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM},
                "cell": {"gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell},
            }
            self.embedding = torch.nn.Embedding(vocabulary, embedding)
            self.recurrent = kinds[form][cell](embedding, units)
            self.dense = torch.nn.Linear(units, vocabulary)

        def forward(
            self, token: torch.Tensor, one: torch.Tensor, two: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            x = self.embedding(token)
            if self.as_cell:
                if self.two_states:
                    one, two = self.recurrent(x, (one, two))
                else:
                    one = self.recurrent(x, one)
                return self.dense(one), one, two
            if self.two_states:
                y, (one, two) = self.recurrent(x.unsqueeze(0), (one, two))
            else:
                y, one = self.recurrent(x.unsqueeze(0), one)
            return self.dense(y[0]), one, two

        @torch.jit.export
        def zeros(self) -> torch.Tensor:
            shape = (1, self.dense.in_features)
            return torch.zeros(shape if self.as_cell else (1, *shape))

        @torch.jit.export
        def write(
            self, token: torch.Tensor, uniforms: torch.Tensor, temperature: float
        ) -> torch.Tensor:
            one, two = self.zeros(), self.zeros()
            tokens = []
            for uniform in uniforms.split(1):
                logits, one, two = self(token, one, two)
                # Faster here than torch.multinomial, and the same text as ours.
                sums = torch.softmax(logits[0] / temperature, 0).cumsum(0)
                token = torch.searchsorted(sums, uniform * sums[-1], right=True)
                tokens.append(token)
            return torch.cat(tokens)

    (embeddings,) = model.get_layer("embedding").get_weights()
    kernel, bias, recurrent_kernel, recurrent_bias = recurrent_weights(
        model, TORCH_GATES[cell]
    )
    dense_kernel, dense_bias = model.get_layer("logits").get_weights()
    last = "" if form == "cell" else "_l0"
    arrays = {
        "embedding.weight": embeddings,
        f"recurrent.weight_ih{last}": kernel.T,
        f"recurrent.weight_hh{last}": recurrent_kernel.T,
        f"recurrent.bias_ih{last}": bias,
        f"recurrent.bias_hh{last}": recurrent_bias,
        "dense.weight": dense_kernel.T,
        "dense.bias": dense_bias,
    }
    vocabulary_size, embedding_size = embeddings.shape
    step: Any = Step(vocabulary_size, embedding_size, len(recurrent_kernel))
    step.load_state_dict({name: torch.tensor(a) for name, a in arrays.items()})
    return step.eval()


# In ONNX's text form; weights are added by name.
OPSETS = '<ir_version: 9, opset_import: ["": 17, "com.microsoft": 1]>'
RECURRENT_OP = {
    "gru": """
        row = Gather(embeddings, token)
        x = Unsqueeze(row, zero)
        "", new_state_0 = GRU<hidden_size = UNITS, linear_before_reset = 1>(
            x, kernel, recurrent_kernel, biases, "", state_0)
        h = Squeeze(new_state_0, zero)
    """,
    "lstm": """
        row = Gather(embeddings, token)
        x = Unsqueeze(row, zero)
        "", new_state_0, new_state_1 = LSTM<hidden_size = UNITS>(
            x, kernel, recurrent_kernel, biases, "", state_0, state_1)
        h = Squeeze(new_state_0, zero)
    """,
}
# As in our own files, what a character adds to the gates is a row of a table.
PLAIN_OPS = {
    "gru": """
        x = Gather(table, token)
        recurrent = MatMul(state_0, recurrent_kernel)
        a = Add(recurrent, recurrent_bias)
        x_gates, x_candidate = Split<axis = 1>(x, sizes)
        a_gates, a_candidate = Split<axis = 1>(a, sizes)
        gate_sums = Add(x_gates, a_gates)
        gates = Sigmoid(gate_sums)
        update, reset = Split<axis = 1>(gates)
        part = Mul(reset, a_candidate)
        candidate_sum = Add(x_candidate, part)
        candidate = Tanh(candidate_sum)
        difference = Sub(state_0, candidate)
        kept = Mul(update, difference)
        new_state_0 = Add(candidate, kept)
    """,
    "lstm": """
        x = Gather(table, token)
        recurrent = MatMul(state_0, recurrent_kernel)
        sums = Add(x, recurrent)
        gate_sums, candidate_sum = Split<axis = 1>(sums, sizes)
        gates = Sigmoid(gate_sums)
        input, forget, output = Split<axis = 1>(gates, thirds)
        candidate = Tanh(candidate_sum)
        kept = Mul(forget, state_1)
        added = Mul(input, candidate)
        new_state_1 = Add(kept, added)
        squashed = Tanh(new_state_1)
        new_state_0 = Mul(output, squashed)
    """,
}
DENSE = """
        product = MatMul(HIDDEN, dense_kernel)
        logits = Add(product, dense_bias)
"""
SAMPLING = """
        scaled = Mul(logits, inverse_temperature)
        probabilities = Softmax<axis = 1>(scaled)
        sums_of_probabilities = CumSum(probabilities, last_axis)
        uniform = Gather(uniforms, index)
        exceeds = Greater(sums_of_probabilities, uniform)
        flags = Cast<to = 1>(exceeds)
        new_token = ArgMax<axis = 1, keepdims = 0>(flags)
        written = Identity(new_token)
        still_going = Identity(going)
"""


def onnxruntime_writers(
    model: keras.Model, cell: str, directory: Path
) -> Iterator[Writer]:
    """ONNX Runtime: its recurrent op or plain ops, float32 or dynamic int8.

    Args:
        model: whose weights it takes.
        cell: "gru" or "lstm".
        directory: for the files that quantization reads and writes.
    """
    for form, step in (
        (f"{cell.upper()} op", onnx_recurrent_op(model, cell)),
        ("plain ops", onnx_plain_ops(model, cell)),
    ):
        quantized = onnx_quantized(step, directory)
        for weights, graph in (("float32", step), ("int8", quantized)):
            session, loop = onnx_session(graph), onnx_session(onnx_loop(graph))
            logits = functools.partial(onnx_logits, session)
            yield from onnx_stepping(session, form, weights, logits)
            yield onnx_looping(loop, form, weights, logits)


def onnx_quantized(step: Any, directory: Path) -> Any:
    """The step with its products in int8."""
    # It advises preprocessing, which these graphs do not need.
    logging.getLogger().setLevel(logging.ERROR)
    path, quantized = directory / "step.onnx", directory / "step_int8.onnx"
    onnx.save(step, path)
    quantization.quantize_dynamic(
        path,
        quantized,
        op_types_to_quantize=["MatMul", "LSTM"],
        weight_type=quantization.QuantType.QInt8,
    )
    return onnx.load(quantized)


def save_onnx(model: keras.Model, cell: str, directory: Path) -> None:
    """Write the loops."""
    step = onnx_plain_ops(model, cell)
    onnx.save(onnx_loop(step), directory / "onnx_float32.onnx")
    quantized = onnx_loop(onnx_quantized(step, directory))
    onnx.save(quantized, directory / "onnx_int8.onnx")


def onnx_recurrent_op(model: keras.Model, cell: str) -> Any:
    """A step with the GRU or LSTM operator."""
    kernel, bias, recurrent_kernel, recurrent_bias = recurrent_weights(
        model, ONNX_GATES[cell]
    )
    (embeddings,) = model.get_layer("embedding").get_weights()
    units = len(recurrent_kernel)
    weights = {
        "embeddings": embeddings,
        "zero": np.array([0]),
        "kernel": kernel.T[None],
        "recurrent_kernel": recurrent_kernel.T[None],
        "biases": np.concatenate([bias, recurrent_bias])[None],
    }
    nodes = RECURRENT_OP[cell].replace("UNITS", str(units))
    nodes += DENSE.replace("HIDDEN", "h")
    return onnx_step(model, nodes, f"float[1,1,{units}]", weights)


def onnx_plain_ops(model: keras.Model, cell: str) -> Any:
    """A step with one product and few element-wise operators."""
    kernel, bias, recurrent_kernel, recurrent_bias = recurrent_weights(
        model, PLAIN_GATES[cell]
    )
    (embeddings,) = model.get_layer("embedding").get_weights()
    units = len(recurrent_kernel)
    weights = {
        "table": embeddings @ kernel + bias,
        "recurrent_kernel": recurrent_kernel,
        "recurrent_bias": recurrent_bias,
        "sizes": np.array([kernel.shape[1] - units, units]),
        "thirds": np.array([units] * 3),
    }
    nodes = PLAIN_OPS[cell] + DENSE.replace("HIDDEN", "new_state_0")
    return onnx_step(model, nodes, f"float[1,{units}]", weights)


def onnx_step(
    model: keras.Model, nodes: str, state: str, weights: dict[str, np.ndarray]
) -> Any:
    """A model of a step's nodes.

    Args:
        model: whose last layer's weights are added.
        nodes: in ONNX's text form.
        state: type of a state.
        weights: by name; those that no node reads are left out.

    Returns:
        From `token` and `state_0` ... to `logits` and `new_state_0` ...
    """
    kernel, bias = model.get_layer("logits").get_weights()
    weights = {**weights, "dense_kernel": kernel, "dense_bias": bias}
    names = [name for name in ("state_0", "state_1") if name in nodes]
    inputs = "".join(f", {state} {name}" for name in names)
    outputs = "".join(f", {state} new_{name}" for name in names)
    step = onnx.parser.parse_model(
        f"{OPSETS} step (int64[1] token{inputs}) => "
        f"(float[1,{len(bias)}] logits{outputs}) {{ {nodes} }}"
    )
    step.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        for name, array in weights.items()
        if name in nodes
    )
    onnx.checker.check_model(step)
    return step


def onnx_loop(step: Any) -> Any:
    """A model that runs a step's nodes and samples in a Loop.

    Returns:
        From `uniforms` (N,), `first` (1,), a token, and the states to `tokens` (N, 1).
    """
    names = [x.name for x in step.graph.input if x.name != "token"]
    sizes = step.graph.input[1].type.tensor_type.shape.dim
    kind = f"float[{','.join(str(size.dim_value) for size in sizes)}]"

    def states(prefix: str, kind: str = kind) -> str:
        return "".join(f", {kind} {prefix}{name}" for name in names)

    loop = onnx.parser.parse_model(
        f"""{OPSETS}
        loop (float[N] uniforms, int64[1] first{states("first_")})
            => (int64[N, 1] tokens) {{
            count = Size(uniforms)
            last{states("last_", "")}, tokens = Loop<body = body (
                int64 index, bool going, int64[1] token{states("")}
            ) => (
                bool still_going, int64[1] new_token{states("new_")}, int64[1] written
            ) {{ {SAMPLING} }}>(count, , first{states("first_", "")})
        }}"""
    )
    body = loop.graph.node[-1].attribute[0].g
    nodes = [*step.graph.node, *body.node]
    del body.node[:]
    body.node.extend(nodes)
    # Weights inside the body are read a little faster than outside it.
    inverse = np.array(1 / TEMPERATURE, np.float32)
    body.initializer.extend(
        [
            *step.graph.initializer,
            onnx.numpy_helper.from_array(inverse, "inverse_temperature"),
            onnx.numpy_helper.from_array(np.array(1), "last_axis"),
        ]
    )
    onnx.checker.check_model(loop)
    return loop


def onnx_session(model: Any) -> Any:
    """A session of one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def onnx_zeros(session: Any) -> dict[str, np.ndarray]:
    """The first states, by the names of their inputs."""
    return {
        x.name: np.zeros(x.shape, np.float32)
        for x in session.get_inputs()
        if "state" in x.name
    }


def onnx_logits(session: Any, ids: np.ndarray) -> np.ndarray:
    """Logits (N, V) after each of some ids (N,)."""
    states, rows = onnx_zeros(session), []
    for token in ids.astype(np.int64):
        row, *new = session.run(None, {"token": token[None], **states})
        states = dict(zip(states, new, strict=True))
        rows.append(row[0])
    return np.stack(rows)


def onnx_stepping(
    session: Any, form: str, weights: str, logits: Logits
) -> Iterator[Writer]:
    """Write with a call for each character: `run`, or arrays bound beforehand."""

    def write(count: int) -> list[int]:
        token, states, tokens = np.array([FIRST_TOKEN]), onnx_zeros(session), []
        for uniform in uniform_numbers(SEED, 0, count):
            row, *new = session.run(None, {"token": token, **states})
            states = dict(zip(states, new, strict=True))
            token[0] = choose_token(row[0], uniform, temperature=TEMPERATURE)
            tokens.append(int(token[0]))
        return tokens

    token = np.zeros(1, np.int64)
    row = np.zeros(session.get_outputs()[0].shape, np.float32)
    even, odd = onnx_zeros(session), onnx_zeros(session)
    bindings = [
        onnx_binding(session, {"token": token, **before}, [row, *after.values()])
        for before, after in ((even, odd), (odd, even))
    ]

    def write_bound(count: int) -> list[int]:
        token[0], tokens = FIRST_TOKEN, []
        for state in even.values():
            state[:] = 0
        for index, uniform in enumerate(uniform_numbers(SEED, 0, count)):
            session.run_with_iobinding(bindings[index % 2])
            token[0] = choose_token(row[0], uniform, temperature=TEMPERATURE)
            tokens.append(int(token[0]))
        return tokens

    for name, writes in ((form, write), (f"{form} on bound arrays", write_bound)):
        yield Writer("ONNX Runtime", name, weights, "step", False, writes, logits)


def onnx_binding(
    session: Any, inputs: dict[str, np.ndarray], outputs: list[np.ndarray]
) -> Any:
    """Bind the arrays that a call reads and writes."""
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_cpu_input(name, array)
    for info, array in zip(session.get_outputs(), outputs, strict=True):
        binding.bind_output(
            info.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data
        )
    return binding


def onnx_looping(session: Any, form: str, weights: str, logits: Logits) -> Writer:
    """Write with one call for all characters; `logits` are its step's."""

    def write(count: int) -> np.ndarray:
        inputs = {
            "uniforms": uniform_numbers(SEED, 0, count),
            "first": np.array([FIRST_TOKEN]),
            **onnx_zeros(session),
        }
        return session.run(None, inputs)[0][:, 0]

    return Writer("ONNX Runtime Loop", form, weights, "loop", False, write, logits)
