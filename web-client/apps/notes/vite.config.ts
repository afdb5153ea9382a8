import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = "http://127.0.0.1:4400";

export default defineConfig({
  base: "./",
  publicDir: "../kit/public",
  plugins: [react()],
  // The `web` entry loads its WebAssembly when `main.tsx` asks for it. The default entries need a bundler plugin
  // or block the page with a synchronous request.
  resolve: { alias: [{ find: /^loro-crdt$/, replacement: "loro-crdt/web" }] },
  optimizeDeps: { exclude: ["loro-crdt", "loro-prosemirror", "@corella/app-kit", "@corella/client", "@corella/react"] },
  build: { target: "es2022", assetsInlineLimit: 0, chunkSizeWarningLimit: 1500 },
  server: {
    proxy: {
      "/api": server,
      "/dev": server,
      "/ws": { target: server, ws: true },
    },
  },
});
