/** A file or an answer is read within limits. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readAddress, readFile } from "../src/reading.js";

const large = /^Error: m has more than 512 MiB, which is too much for a page; open a smaller/;
const ADDRESS = new URL("http://host/m");

test("a file too large is refused unread", async () => {
  const unread = { size: 5e9, arrayBuffer: () => assert.fail("it is read") };
  await assert.rejects(readFile(unread, "m"), large);
});

test("an answer is read whole", async (context) => {
  context.mock.method(globalThis, "fetch", async () => new Response("the model"));
  const content = await readAddress(ADDRESS, "m");
  assert.equal(new TextDecoder().decode(content), "the model");
  context.mock.method(globalThis, "fetch", async () => new Response(null));
  assert.equal((await readAddress(ADDRESS, "m")).byteLength, 0);
});

test("an answer too large is refused by what it says and by what comes", async (context) => {
  let said = "536870913";
  let cancelled = 0;
  context.mock.method(globalThis, "fetch", async () => ({
    ok: true,
    headers: new Map([["Content-Length", said]]),
    body: {
      getReader: () => ({
        // It never ends.
        read: async () => ({ value: { length: 2 ** 27 } }),
        cancel: () => (cancelled += 1),
      }),
    },
  }));
  await assert.rejects(readAddress(ADDRESS, "m"), large);
  for (said of ["9", "x", null]) await assert.rejects(readAddress(ADDRESS, "m"), large);
  assert.equal(cancelled, 3);
});

test("an answer that ends early is named", async (context) => {
  context.mock.method(globalThis, "fetch", async () => {
    const body = new ReadableStream({ start: (stream) => stream.error(new Error("cut")) });
    return new Response(body);
  });
  await assert.rejects(readAddress(ADDRESS, "m"), /^Error: http:\/\/host\/m cannot be fetched/);
});
