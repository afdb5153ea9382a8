/** Serves the page and its assets from this device when the server cannot be reached. Knows nothing of what is in it. */

const home = new URL(self.registration.scope).pathname;
const store = `page ${home}`;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(store)
      .then((cache) => cache.add("./"))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

/** The page says what it was made of: that is kept, and what older pages were made of goes. */
self.addEventListener("message", (event) => {
  const { type, urls } = event.data ?? {};
  if (type === "keep" && Array.isArray(urls)) {
    event.waitUntil(keep(urls));
  }
});

async function keep(urls) {
  const cache = await caches.open(store);
  const kept = await cache.keys();
  await Promise.all(kept.filter(({ url }) => url.includes("/assets/") && !urls.includes(url)).map((request) => cache.delete(request)));
  const have = new Set((await cache.keys()).map(({ url }) => url));
  await Promise.allSettled(urls.filter((url) => !have.has(url)).map((url) => cache.add(url)));
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== self.location.origin) {
    return;
  }
  // An app that lives below this one has a keeper of its own.
  if (request.mode === "navigate" && new URL(request.url).pathname === home) {
    event.respondWith(pageFor(request));
  } else if (new URL(request.url).pathname.startsWith(`${home}assets/`)) {
    // Their names change with their content: what is kept under a name is right.
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  }
});

async function pageFor(request) {
  const cache = await caches.open(store);
  try {
    const answer = await fetch(request);
    if (answer.ok) {
      await cache.put("./", answer.clone());
    }
    return answer;
  } catch (error) {
    const kept = await cache.match("./");
    if (kept === undefined) {
      throw error;
    }
    return kept;
  }
}
