/** The model's worker as an asynchronous function. */

const worker = new Worker("worker.js");
const waiting = new Map();
let asked = 0;

/**
 * Send the worker a request.
 *
 * @param {string} type of request, as worker.js knows it
 * @param {object} [content]
 * @param {Transferable[]} [transfer] what moves to the worker instead of being copied
 * @returns {Promise<object>} the worker's answer
 */
export function ask(type, content, transfer = []) {
  asked += 1;
  worker.postMessage({ id: asked, type, content }, transfer);
  return new Promise((resolve, reject) => waiting.set(asked, { resolve, reject }));
}

worker.onmessage = ({ data: { id, answer, error } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) resolve(answer);
  else reject(new Error(error));
};

worker.onerror = ({ message }) => {
  const error = new Error(
    `The model's worker failed (${message}); load the page again.`,
  );
  for (const { reject } of waiting.values()) reject(error);
  waiting.clear();
};
