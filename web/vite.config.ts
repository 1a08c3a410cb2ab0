import { defineConfig } from "vite";

const SERVER = process.env["GRAPHENGINE_SERVER"] ?? "http://127.0.0.1:8188";
const SERVED = [
  "/api",
  "/internal",
  "/view",
  "/upload",
  "/prompt",
  "/queue",
  "/history",
  "/interrupt",
  "/object_info",
];

export default defineConfig({
  // Everything is served from "/"; assets carry a hash in their names and never change.
  base: "/",
  build: {
    outDir: "../graphengine/webui",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
  },
  server: {
    host: "127.0.0.1",
    port: 5173,
    proxy: {
      ...Object.fromEntries(
        SERVED.map((path) => [
          path,
          { target: SERVER, changeOrigin: true, headers: { origin: SERVER } },
        ]),
      ),
      "/ws": { target: SERVER, ws: true, changeOrigin: true, headers: { origin: SERVER } },
    },
  },
});
