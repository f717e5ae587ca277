/** Every tensor that is made is deleted, also where a call fails. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { onArrays } from "../src/runtime.js";

function fakes() {
  const living = new Set();
  class Tensor {
    constructor(data, shape) {
      if (data === undefined) throw new Error("no data");
      this.data = data;
      this.shape = shape;
      living.add(this);
    }
    toTypedArray() {
      return this.data;
    }
    delete() {
      living.delete(this);
    }
  }
  const details = [
    { name: "token", shape: Int32Array.of(1) },
    { name: "state_0", shape: Int32Array.of(1, 2) },
  ];
  const signature = {
    getInputDetails: () => details,
    run: async (inputs) => ({ out: new Tensor(inputs.state_0.data) }),
  };
  return { living, Tensor, signature };
}

test("a call gives copies and leaves no tensor", async () => {
  const { living, Tensor, signature } = fakes();
  const state = Float32Array.of(3, 4);
  const call = onArrays(signature, Tensor);
  const { out } = await call({ token: Int32Array.of(1), state_0: state });
  assert.deepEqual(out, state);
  assert.notEqual(out, state);
  assert.equal(living.size, 0);
});

test("a call that fails leaves no tensor", async () => {
  const { living, Tensor, signature } = fakes();
  const call = onArrays(signature, Tensor);
  await assert.rejects(call({ token: Int32Array.of(1) }), /no data/);
  signature.run = async () => {
    throw new Error("out of memory");
  };
  const arrays = { token: Int32Array.of(1), state_0: Float32Array.of(3, 4) };
  await assert.rejects(call(arrays), /out of memory/);
  assert.equal(living.size, 0);
});
