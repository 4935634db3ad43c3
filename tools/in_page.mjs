// Bundle what the worker of the exercises runs, MicroPython's own script with it, into
// page_torch/minified/engine.js: `npm run build`. The result is committed, since who
// builds the book has no esbuild. `--check` compares only.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const folder = join(import.meta.dirname, "site/page_torch");
const target = join(folder, "minified/engine.js");

// MicroPython's script finds out where it runs; here it is a worker that has its wasm
const CHANGES = [
  [/ENVIRONMENT_IS_WEB=!!globalThis\.window,ENVIRONMENT_IS_WORKER=[^,;]*,/, ""],
  [/ENVIRONMENT_IS_NODE=[^,;]*,/, ""],
  [/ENVIRONMENT_IS_SHELL=[^,;]*;/, ";"],
  [/,;/, ";"],
  [/\bENVIRONMENT_IS_(WEB|NODE|SHELL)\b/g, "false"],
  [/\bENVIRONMENT_IS_WORKER\b/g, "true"],
  [/let Module=\{(?=locateFile)/, "let Module={...options?.module,"],
];

/** @type {import("esbuild").Plugin} */
const inWorker = {
  name: "MicroPython in a worker",
  setup({ onLoad }) {
    onLoad({ filter: /micropython\.mjs$/ }, ({ path }) => {
      let contents = readFileSync(path, "utf8");
      for (const [old, changed] of CHANGES) {
        const before = contents;
        contents = contents.replace(old, changed);
        if (contents === before) throw new Error(`${path} has no ${old}`);
      }
      return { contents, loader: "js" };
    });
  },
};

const { outputFiles } = await build({
  entryPoints: [join(folder, "engine/worker.js")],
  bundle: true,
  write: false,
  minify: true,
  format: "iife",
  charset: "utf8",
  target: ["chrome111", "firefox115", "safari16.4"],
  define: {
    "import.meta.url": '""',
    process: "undefined",
    "globalThis.process": "undefined",
  },
  plugins: [inWorker],
});
const [{ text }] = outputFiles;
if (process.argv.includes("--check")) {
  let kept = "";
  try {
    kept = readFileSync(target, "utf8");
  } catch {}
  if (kept !== text) {
    console.error("page_torch/minified/engine.js: run `make format`");
    process.exit(1);
  }
} else {
  mkdirSync(join(folder, "minified"), { recursive: true });
  writeFileSync(target, text);
}
