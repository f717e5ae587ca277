/** Bundle the page and its workers into dist/, with the runtime's files beside them. */

import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { initWasm, Resvg } from "@resvg/resvg-wasm";
import { build } from "esbuild";

// One thread on the CPU: a fast build, and one for browsers without relaxed SIMD, which
// takes twice the time. LiteRT.js chooses the one that the browser can run.
const RUNTIMES = ["litert_wasm_internal", "litert_wasm_compat_internal"];

await rm("dist", { recursive: true, force: true });
await mkdir("dist");
const options = { bundle: true, minify: true, target: "es2022", outdir: "dist" };
const loader = { ".html": "text" };
await build({ ...options, loader, entryPoints: ["src/page.js"], format: "esm" });
// LiteRT.js loads its WebAssembly by importScripts, which module workers lack.
const workers = ["src/worker.js", "src/offline.js"];
await build({ ...options, entryPoints: workers, format: "iife" });
const copied = ["index.html", "style.css", "views.css", "icon.svg", "manifest.json"];
for (const name of copied) {
  await cp(`src/${name}`, `dist/${name}`);
}
for (const name of RUNTIMES.flatMap((name) => [`${name}.js`, `${name}.wasm`])) {
  await cp(`node_modules/@litertjs/core/wasm/${name}`, `dist/${name}`);
}

// A phone's home screen takes PNG alone, and cuts a shape of its own from a square.
await initWasm(readFile("node_modules/@resvg/resvg-wasm/index_bg.wasm"));
const icon = await readFile("src/icon.svg", "utf8");
for (const width of [192, 512]) {
  const fitTo = { mode: "width", value: width };
  const square = new Resvg(icon, { background: "#0b6e5f", fitTo });
  await writeFile(`dist/icon-${width}.png`, square.render().asPng());
}

// Who passes the page on, in a wheel or a saved folder, passes these on, too.
const { packages } = JSON.parse(await readFile("package-lock.json", "utf8"));
let licences = "What is built into this page:\n";
for (const [path, { version, license, dev }] of Object.entries(packages)) {
  if (!path || dev) continue;
  const name = path.replace("node_modules/", "");
  licences += `\n${name} ${version}, ${license}\n`;
  licences += await readFile(`${path}/LICENSE`, "utf8").catch(() => "");
}
await writeFile("dist/licences.txt", licences);

// What belongs to the page, for offline.js; the server adds the models.
const files = (await readdir("dist")).sort();
const hash = createHash("sha256");
for (const name of files) {
  const content = await readFile(`dist/${name}`);
  hash.update(`${name} ${content.length}\n`).update(content);
}
const listing = { version: hash.digest("hex"), files, models: [] };
await writeFile("dist/models.json", `${JSON.stringify(listing, null, 1)}\n`);
