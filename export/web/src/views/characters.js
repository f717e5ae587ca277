/** A character model on the page: it goes on with a text. */

import { listed } from "../card.js";
import { $, enable, isEnabled, number, say } from "../dom.js";
import { makeFields, peekFields, readFields } from "../fields.js";
import { makeNext } from "../next.js";
import { Paper } from "../paper.js";
import { isTabular } from "../tabular.js";
import { whileTyping } from "../typing.js";
import { readStops, Until } from "../until.js";
import { encodePrompt, logitsAfter } from "../writing.js";
import html from "./characters.html";

/** Milliseconds that a model may take to stop. */
const PATIENCE = 10_000;
const LAST_SEED = 2 ** 31 - 1;

export { html };

export function begin({ card, entries, worker }) {
  const form = $("writing");
  const paper = new Paper($("text"));
  let writing = false;
  let stopping = false;
  /** What was written: its seed, length so far, and the stop texts. */
  let job;
  let patience;

  /** The logits of what comes after the prompt. */
  let logits;
  const drawNext = makeNext(entries);

  makeFields($("fields"), "writing", card.sampling_defaults, entries.length, showNext);
  const settings = $("settings");
  settings.open = matchMedia("(min-width: 60rem)").matches;
  showUnknown();
  show();
  const update = whileTyping($("prompt"), readPrompt, (complaint) =>
    say("next-words", complaint || $("next-words").textContent),
  );
  settings.addEventListener("toggle", update);

  async function readPrompt(text) {
    // Nobody sees it otherwise.
    if (!settings.open) return;
    const { ids } = encodePrompt(text, entries);
    const run = (...call) => worker.run(...call);
    const found = await logitsAfter(run, card.state_shapes, ids);
    if (!form.isConnected) return;
    logits = found;
    showNext();
  }

  function showNext() {
    const set = peekFields();
    if (logits && set) drawNext(logits, set);
  }

  async function write() {
    const { length, ...settings } = readFields() ?? {};
    if (length === undefined) return;
    const { ids, unknown } = showUnknown();
    const left = new Set(unknown);
    const prompt = [...$("prompt").value].filter((character) => !left.has(character));
    paper.begin(prompt.join(""));
    $("fixed").checked = false;
    job = { seed: settings.seed, count: 0, until: new Until(readStops($("stops").value)) };
    if (innerHeight - $("text").getBoundingClientRect().top < innerHeight / 3) {
      $("text-heading").scrollIntoView();
    }
    await work(length, () => worker.ask("write", { prompt: ids, seed: job.seed, settings }));
  }

  async function goOn() {
    const { length } = readFields() ?? {};
    if (length === undefined) return;
    // What was written behind a stop text comes first.
    if (job.until.found) paper.add(job.until.goOn());
    await work(length, async () => {});
  }

  /** Write `length` more characters. */
  async function work(length, start) {
    say("writing-error", "");
    say("done", "Writing ...");
    $("progress").textContent = "Reading the prompt ...";
    writing = true;
    stopping = false;
    show();
    const { until } = job;
    let count = 0;
    let began = performance.now();
    const rate = () => Math.round((count / (performance.now() - began)) * 1000);
    try {
      await start();
      while (!stopping && !until.found && count < length) {
        const piece = await worker.ask("more", { most: length - count });
        // It reads the prompt. Each change of the page would lay out a long one again.
        if (!piece.count) began = performance.now();
        if (!piece.count) continue;
        count += piece.count;
        paper.add(until.add(piece.text));
        $("progress").textContent =
          `${number(job.count + count)} characters, ${number(rate())} a second`;
      }
      paper.add(until.end());
      job.count += count;
      const end = until.found ? "Found a stop text in" : stopping ? "Stopped after" : "Wrote";
      const speed = count ? `, ${number(rate())} a second` : "";
      say("done", `${end} ${number(job.count)} characters${speed}, seed ${job.seed}.`);
    } catch (error) {
      // The worker has ended, and with it the model; another one may be open already.
      if (!form.isConnected) return;
      job = undefined;
      say("done", "");
      say("writing-error", error.message);
    }
    clearTimeout(patience);
    paper.finish();
    if (isTabular($("text").textContent)) $("fixed").checked = true;
    writing = false;
    $("progress").textContent = "";
    show();
  }

  /** Name the prompt's characters that the model does not know. */
  function showUnknown() {
    const encoded = encodePrompt($("prompt").value, entries);
    const names = listed(encoded.unknown, 50);
    say("unknown", names && `Left out, since the model does not know them: ${names}`);
    return encoded;
  }

  /** Enable what can be done now. */
  function show() {
    $("text").parentElement.classList.toggle("is-writing", writing);
    enable("write", !writing && !worker.ended);
    enable("again", Boolean(job) && !writing);
    enable("on", Boolean(job) && !writing);
    enable("stop", writing);
    enable("copy", !writing && $("text").textContent !== "");
    $("text").setAttribute("aria-busy", String(writing));
  }

  function on(id, act) {
    $(id).addEventListener("click", () => isEnabled(id) && act());
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (isEnabled("write")) write();
  });
  on("again", () => {
    $("seed").value = job.seed < LAST_SEED ? job.seed + 1 : 0;
    write();
  });
  on("on", goOn);
  on("stop", () => {
    stopping = true;
    clearTimeout(patience);
    patience = setTimeout(
      () => worker.end("The model does not stop; open it again, or another one."),
      PATIENCE,
    );
  });
  $("prompt").addEventListener("input", showUnknown);
  $("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  // Browsers do not offer the clipboard to pages over plain http.
  $("copy").hidden = !navigator.clipboard;
  on("copy", async () => {
    await navigator.clipboard.writeText($("text").textContent);
    say("done", "Copied.");
  });
}
