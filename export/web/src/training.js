/** A run while it trains: where it is, its losses, its texts, and how it is stopped. */

import { $, element, enable, isEnabled, say } from "./dom.js";
import { drawLosses } from "./losses.js";

/** Milliseconds between two questions. */
const EVERY = 1000;
/** What was shown last, so that only what changed is touched. */
let shown = "";
let listed = 0;

/**
 * Show the run of this page's server until it ends.
 *
 * @template T
 * @param {() => Promise<T>} listModels lists the models that are there
 * @returns {Promise<T>} what it gave at the end
 */
export async function showTraining(listModels) {
  $("training").hidden = false;
  for (const [button, path] of [
    ["training-stop", "training/hold"],
    ["training-go-on", "training/go-on"],
  ]) {
    $(button).addEventListener("click", () => {
      // The next answer shows what came of it.
      if (isEnabled(button)) fetch(path, { method: "POST" }).catch(() => {});
    });
  }
  let run = await listModels();
  for (;;) {
    let report;
    try {
      report = await (await fetch("training.json", { cache: "no-store" })).json();
    } catch {
      say("training-status", "The run has ended; its terminal says how.");
      enable("training-stop", false);
      enable("training-go-on", false);
      return run;
    }
    show(report);
    if (report.models > listed) {
      listed = report.models;
      run = await listModels();
    }
    if (report.ended) return run;
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

function show({ part, stage, left, held, trains, ended, samples, ...losses }) {
  enable("training-stop", trains && !held);
  enable("training-go-on", trains && held);
  const where = part ? `${part}: ${stage}${left && "; "}${left}` : "Preparing";
  say("training-status", ended ? "Trained, exported and checked." : where);
  const { clientWidth } = $("losses");
  const text = JSON.stringify([losses, samples, clientWidth]);
  if (text === shown) return;
  shown = text;
  $("losses").replaceChildren(...drawLosses(losses, clientWidth));
  $("samples").hidden = samples.length === 0;
  $("samples").replaceChildren(
    ...samples.toReversed().flatMap(({ epoch, text }) => {
      const written = document.createElement("pre");
      written.textContent = text;
      return [element("h3", `Epoch ${epoch}`), written];
    }),
  );
}
