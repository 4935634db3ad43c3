// Minify what a page runs for its exercises into page_torch/minified/: `npm run build`.
// The results are committed, since who builds the book has no esbuild. `--check`
// compares only.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const site = join(import.meta.dirname, "site");
const folder = join(site, "page_torch/minified");
const made = {
  "engine.js": "page_torch/engine/worker.js", // what the worker runs
  "exercise.js": "static/exercise.js",
  "start.js": "page_torch/start.js",
};

mkdirSync(folder, { recursive: true });
for (const [name, source] of Object.entries(made)) {
  const { outputFiles } = await build({
    entryPoints: [join(site, source)],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    charset: "utf8",
    target: ["chrome111", "firefox115", "safari16.4"],
  });
  const [{ text }] = outputFiles;
  const target = join(folder, name);
  if (!process.argv.includes("--check")) writeFileSync(target, text);
  else if (!existsSync(target) || readFileSync(target, "utf8") !== text) {
    console.error(`page_torch/minified/${name}: run \`make format\``);
    process.exitCode = 1;
  }
}
