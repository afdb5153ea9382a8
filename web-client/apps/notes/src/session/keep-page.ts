/** Keeps the page itself on this device, so that it opens where there is no network. */

/** Has `keeper.js` keep what this page was made of. Does nothing in development, and where browsers do not offer it. */
export function keepPage(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) {
    return;
  }
  navigator.serviceWorker.register("./keeper.js").then(
    async () => {
      const { active } = await navigator.serviceWorker.ready;
      const used = performance.getEntriesByType("resource").map(({ name }) => name);
      active?.postMessage({ type: "keep", urls: used.filter((url) => new URL(url).pathname.includes("/assets/")) });
    },
    // A page that is not kept works as well, while there is a network.
    () => {},
  );
}
