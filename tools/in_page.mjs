// Bundle what the worker of the exercises runs into page_torch/minified/engine.js:
// `npm run build`. The result is committed, since who builds the book has no esbuild.
// `--check` compares only.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const folder = join(import.meta.dirname, "site/page_torch");
const target = join(folder, "minified/engine.js");

const { outputFiles } = await build({
  entryPoints: [join(folder, "engine/worker.js")],
  bundle: true,
  write: false,
  minify: true,
  format: "iife",
  charset: "utf8",
  target: ["chrome111", "firefox115", "safari16.4"],
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
