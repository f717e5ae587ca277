/** LiteRT.js as functions on typed arrays, whose callers have nothing to delete. */

/**
 * A signature as a function from arrays by name to arrays by name.
 *
 * @param {object} signature a SignatureRunner of LiteRT.js
 * @param {new (data: object, shape: number[]) => object} Tensor the class of LiteRT.js
 * @returns {(inputs: object) => Promise<object>}
 */
export function onArrays(signature, Tensor) {
  const details = signature.getInputDetails();
  return async (arrays) => {
    // LiteRT.js frees no tensor by itself, not even where a call fails.
    const inputs = {};
    let outputs = {};
    try {
      for (const { name, shape } of details) {
        inputs[name] = new Tensor(arrays[name], [...shape]);
      }
      outputs = await signature.run(inputs);
      return Object.fromEntries(
        Object.entries(outputs).map(([name, tensor]) => [
          name,
          // A copy, since the array is a view of the runtime's memory, which is freed.
          tensor.toTypedArray().slice(),
        ]),
      );
    } finally {
      for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) {
        tensor.delete();
      }
    }
  };
}
