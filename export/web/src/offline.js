/**
 * Keeps the page and its models in the browser, so that they open without a network.
 *
 * What the network gives comes first. What is kept answers where there is none, or a
 * slow one. The version is the query of this script's address: another one is kept whole
 * before it replaces the one before.
 */

/** Milliseconds that an answer of the network may take to begin. */
const PATIENCE = 4000;
let patience = PATIENCE;
const VERSION = location.search.slice(1);
// Of one origin, each folder may have a page.
const START = `${registration.scope} `;
const NAME = START + VERSION;

async function keep() {
  const fresh = (path) => new Request(path, { cache: "no-cache" });
  const response = await fetch(fresh("models.json"));
  const { version, files, models } = await response.clone().json();
  if (version !== VERSION) throw new Error("the page has changed since");
  const cache = await caches.open(NAME);
  const paths = ["./", ...files, ...models.map(({ path }) => path)];
  await cache.addAll(paths.map(fresh));
  await cache.put("models.json", response);
  await skipWaiting();
}

async function replace() {
  for (const name of await caches.keys()) {
    if (name.startsWith(START) && name !== NAME) await caches.delete(name);
  }
  await clients.claim();
}

async function find(request) {
  const cache = await caches.open(NAME);
  // The page's query says which model to open.
  return cache.match(request, { ignoreSearch: request.mode === "navigate" });
}

async function answer(request) {
  let came = false;
  const wanted = fetch(request).finally(() => (came = true));
  const late = new Promise((resolve) => setTimeout(resolve, patience)).then(() => {
    if (came) return undefined;
    patience = 0; // the next files need not wait again
    return find(request);
  });
  wanted.then(() => (patience = PATIENCE)).catch(() => {});
  try {
    return (await Promise.race([wanted, late])) ?? (await wanted);
  } catch (error) {
    const kept = await find(request);
    if (kept) return kept;
    throw error;
  }
}

addEventListener("install", (event) => event.waitUntil(keep()));
addEventListener("activate", (event) => event.waitUntil(replace()));
addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  // A model at another address is the page's own affair.
  if (method !== "GET" || new URL(url).origin !== location.origin) return;
  event.respondWith(answer(event.request));
});
