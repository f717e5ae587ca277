/** The page: it opens, asks and shows. The model itself runs in worker.js. */

import { ask } from "./ask.js";
import { describeCard, nameCharacter, summarizeCard } from "./card.js";
import { readFields, showDefaults } from "./fields.js";
import { Paper } from "./paper.js";
import { encodePrompt } from "./writing.js";

const $ = (id) => document.getElementById(id);
const paper = new Paper($("text"));
/** What is open: its name, card and characters. */
let model;
/** How many files were requested; only the last one is opened. */
let opening = 0;
let writing = false;
let stopping = false;

/**
 * Open a model and show its card.
 *
 * @param {string} name for messages
 * @param {() => Promise<ArrayBuffer>} read
 */
async function open(name, read) {
  opening += 1;
  const mine = opening;
  stopping = true;
  model = undefined;
  show();
  say(`Opening ${name} ...`);
  complain("opening-error", "");
  try {
    const content = await read();
    if (mine !== opening) return;
    const opened = await ask("open", { content, name }, [content]);
    // Of two files that are opened in a row, the second is wanted.
    if (mine !== opening) return;
    model = { ...opened, name };
    showModel();
    $("source").open = false;
    $("source-summary").textContent = "Open another model";
    say(`${name} is open.`);
  } catch (error) {
    if (mine !== opening) return;
    say("");
    $("source").open = true;
    complain("opening-error", error.message);
  }
  show();
}

function openFile(file) {
  return open(file.name, () =>
    file.arrayBuffer().catch((error) => {
      throw new Error(`${file.name} cannot be read: ${error.message}`);
    }),
  );
}

function openAddress(text) {
  let address;
  try {
    address = new URL(text.trim(), document.baseURI);
  } catch {
    address = { protocol: "" };
  }
  if (!text.trim() || !/^https?:$/.test(address.protocol)) {
    complain(
      "opening-error",
      `“${text}” is no address; give one like https://host/model.tflite`,
    );
    return;
  }
  return open(nameOf(address), async () => {
    let response;
    try {
      response = await fetch(address);
      if (response.ok) return await response.arrayBuffer();
    } catch {
      throw new Error(
        `${address.href} cannot be fetched: the address may be wrong, or its server ` +
          "does not let other pages read (CORS); save the file and open it from there",
      );
    }
    throw new Error(
      `${address.href} cannot be fetched: the server answers ${response.status} ` +
        `${response.statusText}; check the address`,
    );
  });
}

/** The file's name in an address, which may be malformed. */
function nameOf(address) {
  const name = address.pathname.split("/").at(-1) || address.href;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function showModel() {
  const { card, characters, name } = model;
  $("model-name").textContent = name;
  $("summary").replaceChildren(
    ...summarizeCard(card, characters.length).map(element("li")),
  );
  const rows = [
    ...describeCard(card),
    ["The characters", characters.map(nameCharacter).join(" ")],
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
      // The time to read the prompt does not count.
      if (!piece.count) began = performance.now();
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
    say("");
    complain("writing-error", error.message);
  }
  paper.finish();
  writing = false;
  $("progress").textContent = "";
  show();
}

/** Name the prompt's characters that the model does not know. */
function showUnknown() {
  const encoded = encodePrompt($("prompt").value, model.characters);
  const { length } = encoded.unknown;
  const names = encoded.unknown.slice(0, 50).map(nameCharacter).join(" ");
  const more = length > 50 ? ` and ${length - 50} more` : "";
  const said = names && `Left out, since the model does not know them: ${names}${more}`;
  if ($("unknown").textContent !== said) $("unknown").textContent = said;
  return encoded;
}

const number = (value) => value.toLocaleString("en");

function element(tag) {
  return (text) => Object.assign(document.createElement(tag), { textContent: text });
}

function say(text) {
  $("status").textContent = text;
}

function complain(id, text) {
  $(id).textContent = text;
}

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
});
// The same file may have changed since.
$("file").addEventListener("click", ({ target }) => {
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
  stopping = true;
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
if (address) {
  $("address").value = address;
  openAddress(address);
}
