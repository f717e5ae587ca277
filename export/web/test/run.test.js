import assert from "node:assert/strict";
import { test } from "node:test";
import { groupFiles } from "../src/run.js";

test("the files of a model are one group, the smallest first", () => {
  const files = ["char_rnn_float32", "char_rnn_int8", "a%20model", "x_int8_int4"].map(
    (name, index) => ({ path: `model/${name}.tflite`, size: 9 - index }),
  );
  const groups = [...groupFiles(files)].map(([name, formats]) => [
    name,
    formats.map(({ format }) => format),
  ]);
  assert.deepEqual(groups, [
    ["a model.tflite", ["open"]],
    ["char_rnn", ["int8", "float32"]],
    ["x_int8", ["int4"]],
  ]);
});

test("a name that is no address, or looks like another's, stays itself", () => {
  const groups = groupFiles([
    { path: "model/%ff.tflite", size: 1 },
    { path: "model/__proto___int8.tflite", size: 2 },
    { path: "model/1/same_int8.tflite", size: 3 },
    { path: "model/same_int8.tflite", size: 4 },
  ]);
  assert.deepEqual([...groups.keys()], ["%ff.tflite", "__proto__", "same"]);
  assert.equal(groups.get("same").length, 2);
});
