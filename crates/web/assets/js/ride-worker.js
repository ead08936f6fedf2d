// Keeps the ride code page for when there is no network. The server puts `FOLDER`, the folder of its files, in front.
// Files never change under one folder; the page itself is asked for anew whenever the network is there.

const CACHE = `ride ${FOLDER}`;
const FILES = [
  "favicon.svg",
  "icons.svg",
  "ride.webmanifest",
  "css/onescan.css",
  "vendor/pico-2.1.1/pico.classless.min.css",
  "vendor/htmx-4.0.1/htmx.min.js",
  "vendor/lean-qr-2.7.4/index.js",
  "js/theme.js",
  "js/ride.js",
  "js/ride/code.js",
  "js/ride/memory.js",
].map((name) => `${FOLDER}/${name}`);

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(
    caches.open(CACHE).then(async (cache) => {
      await cache.addAll(FILES);
      const page = await fetch("/ride");
      if (page.ok && !page.redirected) await cache.put("/ride", page);
    }),
  );
});

self.addEventListener("activate", (event) => {
  const others = (names) => names.filter((name) => name.startsWith("ride ") && name !== CACHE);
  const cleared = caches.keys().then((names) => Promise.all(others(names).map((name) => caches.delete(name))));
  event.waitUntil(cleared.then(() => self.clients.claim()));
});

async function pageOrKept(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    if (answer.ok && !answer.redirected) await cache.put("/ride", answer.clone());
    return answer;
  } catch (error) {
    const kept = await cache.match("/ride");
    if (kept) return kept;
    throw error;
  }
}

async function keptOrFetched(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request)) ?? fetch(request);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { pathname } = new URL(request.url);
  if (request.method !== "GET") return;
  if (request.mode === "navigate" && pathname === "/ride") event.respondWith(pageOrKept(request));
  else if (pathname.startsWith(`${FOLDER}/`)) event.respondWith(keptOrFetched(request));
});
