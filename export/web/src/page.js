/** The page: it opens a model and shows the view of its kind. */

import { ModelWorker } from "./ask.js";
import { describeCard, entriesOf, listed, summarizeCard } from "./card.js";
import {
  CHARACTERS,
  CLASSIFIER,
  ENCODER,
  TAGGER,
  TRANSLATOR,
  WORDS,
} from "./contract.js";
import { $, element, say } from "./dom.js";
import { visible } from "./foreign.js";
import { nameOf, readAddress, readAddressOf, readFile } from "./reading.js";
import { keepOffline, readRun, showRun } from "./run.js";
import { showTraining } from "./training.js";
import * as characters from "./views/characters.js";
import * as classifier from "./views/classifier.js";
import * as encoder from "./views/encoder.js";
import * as nextWord from "./views/next_word.js";
import * as tagger from "./views/tagger.js";
import * as translator from "./views/translator.js";

/** For each kind of model, the `html` of its view, and what makes it work. */
const VIEWS = {
  [CHARACTERS]: characters,
  [CLASSIFIER]: classifier,
  [WORDS]: nextWord,
  [TAGGER]: tagger,
  [TRANSLATOR]: translator,
  [ENCODER]: encoder,
};

$("unstarted").remove();

/** What is open: its name, card, vocabulary and worker. */
let model;
/** The worker of the file that is being opened. */
let next;
/** How many files were requested; only the last one is opened. */
let opening = 0;
/** Ends the reading of the one before. */
let reading = new AbortController();

/**
 * Open a model and show its view. The one before stays until this one is open.
 *
 * @param {string} foreign name, for messages
 * @param {(name: string, signal: AbortSignal) => Promise<ArrayBuffer>} read
 */
async function open(foreign, read) {
  opening += 1;
  const mine = opening;
  const name = visible(foreign).slice(0, 300);
  reading.abort();
  reading = new AbortController();
  next?.end("Another file was opened.");
  next = undefined;
  document.body.classList.add("is-opening");
  say("status", `Opening ${name} ...`, name);
  say("opening-error", "");
  try {
    const content = await read(name, reading.signal);
    if (mine !== opening) return;
    next = new ModelWorker();
    const opened = await next.ask("open", { content, name }, [content]);
    // Of two files that are opened in a row, the second is wanted.
    if (mine !== opening) return;
    model?.worker.end("Another file was opened.");
    model = { ...opened, name, worker: next };
    next = undefined;
    showModel();
    say("status", `${name} is open.`, name);
  } catch (error) {
    if (mine !== opening) return;
    next?.end(error.message);
    say("status", "");
    $("source").open = true;
    say("opening-error", error.message, name);
  }
  document.body.classList.remove("is-opening");
}

const openFile = (file) => open(file.name, (name) => readFile(file, name));

function openAddress(text) {
  let address;
  try {
    address = readAddressOf(text);
  } catch (error) {
    // A password must not stay on the screen, nor in the browser's history.
    $("address").value = text.replace(/^((?:[a-z]+:)?\/\/)?[^]*@/i, "$1");
    if (text.includes("@")) history.replaceState(null, "", location.pathname);
    say("opening-error", error.message);
    return;
  }
  $("address").value = text;
  return open(nameOf(address), (name, signal) => readAddress(address, name, signal));
}

function showModel() {
  const { card, entries, name, worker } = model;
  $("model-name").textContent = name;
  $("summary").replaceChildren(
    ...summarizeCard(card, entries.length).map((text) => element("li", text)),
  );
  const rows = [...describeCard(card), [`The ${entriesOf(card)}`, listed(entries)]];
  $("card").replaceChildren(
    ...rows.flatMap(([label, value]) => [
      element("dt", label),
      element("dd", value),
    ]),
  );
  $("source").open = false;
  $("source-summary").textContent = "Open another";
  document.body.classList.add("has-model");
  worker.onEnd = () => {
    if (worker !== model.worker) return;
    document.body.classList.remove("has-model");
    $("source").open = true;
  };
  const { html, begin } = VIEWS[card.kind];
  // What was typed stays, for the next model.
  const typed = $("view").querySelector("textarea")?.value ?? "";
  $("view").innerHTML = html;
  $("view").querySelector("textarea").value = typed;
  begin(model);
}

$("file").addEventListener("change", ({ target }) => {
  if (target.files.length) openFile(target.files[0]);
  // So that the same file, which may have changed, can be chosen again; and the browser
  // would show its name as it is.
  target.value = "";
});
$("opening").addEventListener("submit", (event) => {
  event.preventDefault();
  openAddress($("address").value);
});

// Dragged text goes where it always does.
const hasFile = (event) => event.dataTransfer.types.includes("Files");
const isOver = (over) => document.body.classList.toggle("is-over", over);
addEventListener("dragover", (event) => {
  if (!hasFile(event)) return;
  event.preventDefault();
  isOver(true);
});
// Leaving an element inside does not count, unless nothing is entered.
addEventListener("dragleave", (event) => event.relatedTarget ?? isOver(false));
addEventListener("drop", (event) => {
  if (!hasFile(event)) return;
  event.preventDefault();
  isOver(false);
  if (event.dataTransfer.files.length) openFile(event.dataTransfer.files[0]);
});

/** List the models that come with the page. */
async function listModels() {
  const run = await readRun();
  $("run").replaceChildren();
  showRun($("run"), run.models, openAddress);
  return run;
}

const keepPage = async ({ version }) => {
  $("offline").textContent = await keepOffline(version);
};

const query = new URLSearchParams(location.search);
if (query.has("model")) openAddress(query.get("model"));
if (query.has("training")) {
  showTraining(listModels).then((run) => {
    const last = run.models.filter(({ path }) => path.endsWith("int8.tflite")).at(-1);
    if (last && !model) openAddress(last.path);
    return keepPage(run);
  });
} else {
  listModels().then(keepPage);
}
