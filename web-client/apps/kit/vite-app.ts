/** How the demo apps are built. */

import react from "@vitejs/plugin-react";
import type { UserConfig } from "vite";

const server = "http://127.0.0.1:4400";

/** An app's settings; `own` are the packages beside the shared ones that are to be taken as they are. */
export function appConfig(own: readonly string[]): UserConfig {
  return {
    base: "./",
    publicDir: "../kit/public",
    plugins: [react()],
    // The `web` entry loads its WebAssembly when the page's start asks for it. The default entries need a bundler plugin
    // or block the page with a synchronous request.
    resolve: { alias: [{ find: /^loro-crdt$/, replacement: "loro-crdt/web" }] },
    optimizeDeps: { exclude: ["loro-crdt", "@corella/app-kit", "@corella/client", "@corella/react", ...own] },
    build: { target: "es2022", assetsInlineLimit: 0, chunkSizeWarningLimit: 1500 },
    server: {
      proxy: {
        "/api": server,
        "/dev": server,
        "/ws": { target: server, ws: true },
      },
    },
  };
}
