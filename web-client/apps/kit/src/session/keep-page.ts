/** Keeps the page itself on this device, so that it opens where there is no network. */

/** Has `keeper.js` keep what this page is made of, and what it loads later. Does nothing in development, and where browsers do not offer it. */
export function keepPage(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) {
    return;
  }
  navigator.serviceWorker.register("./keeper.js").then(
    async () => {
      const { active } = await navigator.serviceWorker.ready;
      const used = new Set<string>();
      const observer = new PerformanceObserver((list) => {
        const assets = list.getEntries().flatMap(({ name }) => (new URL(name).pathname.includes("/assets/") ? [name] : []));
        if (assets.length > 0) {
          assets.forEach((asset) => used.add(asset));
          active?.postMessage({ type: "keep", urls: [...used] });
        }
      });
      observer.observe({ type: "resource", buffered: true });
    },
    // A page that is not kept works as well, while there is a network.
    () => {},
  );
}
