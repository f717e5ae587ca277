/** A model's worker as asynchronous functions. */

export class ModelWorker {
  constructor() {
    /** Why it has ended, if it has. */
    this.ended = "";
    /** Called when it ends. */
    this.onEnd = undefined;
    this.waiting = new Map();
    this.asked = 0;
    this.worker = new Worker("worker.js");
    this.worker.onmessage = ({ data: { id, answer, error, broken } }) => {
      const { resolve, reject } = this.waiting.get(id) ?? {};
      this.waiting.delete(id);
      if (error === undefined) resolve?.(answer);
      else reject?.(new Error(error));
      // After a fault, the runtime's memory may hold anything.
      if (broken) this.end(error);
    };
    this.worker.onerror = (event) => {
      event.preventDefault();
      const reason = event.message ?? "it cannot be loaded";
      this.end(`The model's worker failed (${reason}); load the page again.`);
    };
  }

  /**
   * Send the worker a request.
   *
   * @param {string} type of request, as worker.js knows it
   * @param {object} [content]
   * @param {Transferable[]} [transfer] what moves to the worker instead of being copied
   * @returns {Promise<object>} the worker's answer; rejected if it has ended or ends
   */
  ask(type, content, transfer = []) {
    if (this.ended) return Promise.reject(new Error(this.ended));
    this.asked += 1;
    this.worker.postMessage({ id: this.asked, type, content }, transfer);
    return new Promise((resolve, reject) =>
      this.waiting.set(this.asked, { resolve, reject }),
    );
  }

  /** Run a signature on arrays by name. */
  run(signature, inputs) {
    return this.ask("run", { signature, inputs });
  }

  /**
   * End the worker, with whatever it does at the moment.
   *
   * @param {string} reason for those who wait for an answer, or ask again
   */
  end(reason) {
    this.worker.terminate();
    this.ended ||= reason;
    for (const { reject } of this.waiting.values()) reject(new Error(reason));
    this.waiting.clear();
    this.onEnd?.();
  }
}
