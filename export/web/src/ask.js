/** The model's worker as an asynchronous function. */

let worker;
const waiting = new Map();
let asked = 0;

/**
 * Send the worker a request; one that has ended is replaced.
 *
 * @param {string} type of request, as worker.js knows it
 * @param {object} [content]
 * @param {Transferable[]} [transfer] what moves to the worker instead of being copied
 * @returns {Promise<object>} the worker's answer
 */
export function ask(type, content, transfer = []) {
  worker ??= start();
  asked += 1;
  worker.postMessage({ id: asked, type, content }, transfer);
  return new Promise((resolve, reject) => waiting.set(asked, { resolve, reject }));
}

/** Whether a request has no answer yet. */
export const isBusy = () => waiting.size > 0;

/**
 * End the worker, with the model that it has, and whatever it does at the moment.
 *
 * @param {string} reason for those who wait for an answer
 */
export function endWorker(reason) {
  worker?.terminate();
  worker = undefined;
  for (const { reject } of waiting.values()) reject(new Error(reason));
  waiting.clear();
}

function start() {
  const started = new Worker("worker.js");
  started.onmessage = ({ data: { id, answer, error, broken } }) => {
    const { resolve, reject } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (error === undefined) resolve?.(answer);
    else reject?.(new Error(error));
    // After a fault, the runtime's memory may hold anything.
    if (broken) endWorker(error);
  };
  started.onerror = (event) => {
    event.preventDefault();
    const reason = event.message ?? "it cannot be loaded";
    endWorker(`The model's worker failed (${reason}); load the page again.`);
  };
  return started;
}
