/** The models that come with the page, and keeping all of it for use offline. */

import { element } from "./dom.js";
import { visible } from "./foreign.js";
import { nameOf } from "./reading.js";

const FILE = /^(.+)_(float32|float16|int8|int4)\.tflite$/;

/**
 * What is served or saved with the page.
 *
 * @returns {Promise<{version?: string, models: {path: string, size: number}[]}>}
 */
export async function readRun() {
  try {
    return await (await fetch("models.json", { cache: "no-cache" })).json();
  } catch {
    return { models: [] };
  }
}

/**
 * The files of each model, the smallest first.
 *
 * @param {{path: string, size: number}[]} files
 * @returns {Map<string, {path: string, size: number, format: string}[]>} by its name
 */
export function groupFiles(files) {
  const groups = new Map();
  for (const file of [...files].sort((one, other) => one.size - other.size)) {
    const name = nameOf(new URL(file.path, "http://host/"));
    const [, model = name, format = "open"] = FILE.exec(name) ?? [];
    groups.set(model, [...(groups.get(model) ?? []), { ...file, format }]);
  }
  return new Map([...groups].sort());
}

/**
 * List models as links.
 *
 * @param {HTMLElement} list
 * @param {{path: string, size: number}[]} files
 * @param {(path: string) => void} open
 */
export function showRun(list, files, open) {
  for (const [model, formats] of groupFiles(files)) {
    const row = element("li");
    row.append(element("bdi", model));
    for (const { path, size, format } of formats) {
      const bytes = `${size.toLocaleString("en")} bytes`;
      const link = element("a", format, {
        href: `?model=${encodeURIComponent(path)}`,
        title: bytes,
        "aria-label": `${visible(model)}, ${format}, ${bytes}`,
      });
      link.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        history.replaceState(null, "", link.href);
        open(path);
      });
      row.append(" ", link);
    }
    list.append(row);
  }
}

/**
 * Keep the page and its models on this device.
 *
 * @param {string} version
 * @returns {Promise<string>} a sentence: whether it opens without a network
 */
export async function keepOffline(version) {
  const { serviceWorker } = navigator;
  // Browsers allow it to pages from https and from this machine.
  if (!serviceWorker || !version) return "";
  try {
    const options = { updateViaCache: "none" };
    const registered = await serviceWorker.register(`offline.js?${version}`, options);
    const worker = registered.installing ?? registered.waiting ?? registered.active;
    while (worker.state !== "activated") {
      if (worker.state === "redundant") return "";
      await new Promise((resolve) =>
        worker.addEventListener("statechange", resolve, { once: true }),
      );
    }
    return "Opens without a network, too.";
  } catch {
    return "";
  }
}
