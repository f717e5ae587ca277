/** Bundle the page and its worker into dist/, with the runtime's files beside them. */

import { cp, mkdir, rm } from "node:fs/promises";
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
await build({ ...options, entryPoints: ["src/worker.js"], format: "iife" });
for (const name of ["index.html", "style.css", "views.css", "icon.svg"]) {
  await cp(`src/${name}`, `dist/${name}`);
}
for (const name of RUNTIMES.flatMap((name) => [`${name}.js`, `${name}.wasm`])) {
  await cp(`node_modules/@litertjs/core/wasm/${name}`, `dist/${name}`);
}
