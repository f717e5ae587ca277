/** The page: it opens, asks and shows. The model itself runs in worker.js. */

import { ask, endWorker, isBusy } from "./ask.js";
import { describeCard, nameCharacter, summarizeCard } from "./card.js";
import { readFields, showDefaults } from "./fields.js";
import { showSentence, visible } from "./foreign.js";
import { Paper } from "./paper.js";
import { nameOf, readAddress, readAddressOf, readFile } from "./reading.js";
import { encodePrompt } from "./writing.js";

/** Milliseconds that a model may take to stop. */
const PATIENCE = 10_000;

const $ = (id) => document.getElementById(id);
const paper = new Paper($("text"));
/** What is open: its name, card and characters. */
let model;
/** How many files were requested; only the last one is opened. */
let opening = 0;
/** Ends the reading of the one before. */
let reading = new AbortController();
let writing = false;
let stopping = false;
let patience;

/**
 * Open a model and show its card.
 *
 * @param {string} foreign name, for messages
 * @param {(name: string, signal: AbortSignal) => Promise<ArrayBuffer>} read
 */
async function open(foreign, read) {
  opening += 1;
  const mine = opening;
  const name = visible(foreign).slice(0, 300);
  stopping = true;
  model = undefined;
  reading.abort();
  reading = new AbortController();
  // What the model before does may never end.
  if (isBusy()) endWorker("Another file was opened.");
  show();
  say(`Opening ${name} ...`, name);
  complain("opening-error", "");
  complain("writing-error", "");
  try {
    const content = await read(name, reading.signal);
    if (mine !== opening) return;
    const opened = await ask("open", { content, name }, [content]);
    // Of two files that are opened in a row, the second is wanted.
    if (mine !== opening) return;
    model = { ...opened, name };
    showModel();
    $("source").open = false;
    $("source-summary").textContent = "Open another model";
    say(`${name} is open.`, name);
  } catch (error) {
    if (mine !== opening) return;
    say("");
    $("source").open = true;
    complain("opening-error", error.message, name);
  }
  show();
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
    complain("opening-error", error.message);
    return;
  }
  $("address").value = text;
  return open(nameOf(address), (name, signal) => readAddress(address, name, signal));
}

function showModel() {
  const { card, characters, name } = model;
  $("model-name").textContent = name;
  $("summary").replaceChildren(
    ...summarizeCard(card, characters.length).map(element("li")),
  );
  const rows = [
    ...describeCard(card),
    ["The characters", listed(characters)],
  ];
  $("card").replaceChildren(
    ...rows.flatMap(([label, value]) => [element("dt")(label), element("dd")(value)]),
  );
  showDefaults(card.sampling_defaults ?? {});
  showUnknown();
}

async function write() {
  const { seed, length, ...settings } = readFields() ?? {};
  if (seed === undefined) return;
  const { ids, unknown } = showUnknown();
  const left = new Set(unknown);
  paper.begin(
    [...$("prompt").value].filter((character) => !left.has(character)).join(""),
  );
  complain("writing-error", "");
  say("Writing ...");
  $("progress").textContent = "Reading the prompt ...";
  const mine = opening;
  writing = true;
  stopping = false;
  show();
  let count = 0;
  let began = performance.now();
  const rate = () => Math.round((count / (performance.now() - began)) * 1000);
  try {
    await ask("write", { prompt: ids, length, seed, settings });
    while (!stopping) {
      const piece = await ask("more");
      if (piece.done) break;
      // It reads the prompt. Each change of the page would lay out a long one again.
      if (!piece.count) began = performance.now();
      if (!piece.count) continue;
      count += piece.count;
      paper.add(piece.text);
      $("progress").textContent =
        `${number(count)} characters, ${number(rate())} a second`;
    }
    const end = stopping ? "Stopped after" : "Wrote";
    say(
      `${end} ${number(count)} characters${count ? `, ${number(rate())} a second` : ""}.`,
    );
  } catch (error) {
    // The worker has ended, and with it the model; another one may be open already.
    if (mine === opening) {
      model = undefined;
      $("source").open = true;
      say("");
      complain("writing-error", error.message);
    }
  }
  clearTimeout(patience);
  paper.finish();
  writing = false;
  $("progress").textContent = "";
  show();
}

/** Name the prompt's characters that the model does not know. */
function showUnknown() {
  const encoded = encodePrompt($("prompt").value, model.characters);
  const names = listed(encoded.unknown, 50);
  const said = names && `Left out, since the model does not know them: ${names}`;
  if ($("unknown").textContent !== said) $("unknown").textContent = said;
  return encoded;
}

/** The names of characters, or of the first of them. */
function listed(characters, most = 500) {
  const names = characters.slice(0, most).map(nameCharacter).join(" ");
  const left = characters.length - most;
  return left > 0 ? `${names} and ${number(left)} more` : names;
}

const number = (value) => value.toLocaleString("en");

function element(tag) {
  return (text) =>
    Object.assign(document.createElement(tag), { textContent: visible(text) });
}

const say = (text, name) => showSentence($("status"), text, name);
const complain = (id, text, name) => showSentence($(id), text, name);

/** Buttons keep the keyboard focus while they are inactive. */
const enable = (id, can) => $(id).setAttribute("aria-disabled", String(!can));
const enabled = (id) => $(id).getAttribute("aria-disabled") === "false";

/** Enable what can be done now. */
function show() {
  document.body.classList.toggle("has-model", Boolean(model));
  document.body.classList.toggle("is-writing", writing);
  enable("write", Boolean(model) && !writing);
  enable("stop", writing);
  enable("copy", !writing && $("text").textContent !== "");
  $("text").setAttribute("aria-busy", String(writing));
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
$("writing").addEventListener("submit", (event) => {
  event.preventDefault();
  if (enabled("write")) write();
});
$("stop").addEventListener("click", () => {
  if (!enabled("stop")) return;
  stopping = true;
  clearTimeout(patience);
  patience = setTimeout(
    () => endWorker("The model does not stop; open it again, or another one."),
    PATIENCE,
  );
});
$("prompt").addEventListener("input", () => model && showUnknown());
$("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    $("writing").requestSubmit();
  }
});
// Browsers do not offer the clipboard to pages over plain http.
$("copy").hidden = !navigator.clipboard;
$("copy").addEventListener("click", async () => {
  if (!enabled("copy")) return;
  await navigator.clipboard.writeText($("text").textContent);
  say("Copied.");
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

$("settings").open = matchMedia("(min-width: 60rem)").matches;
show();
const address = new URLSearchParams(location.search).get("model");
if (address) openAddress(address);
