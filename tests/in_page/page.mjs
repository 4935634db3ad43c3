// Runs Python in MicroPython with the page's torch: one job a line, one answer a line.
// A job is {code, given: {name: value}}, each value as conftest.py writes it.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { connect, load } from "../../tools/site/page_torch/engine/bridge.js";
import { loadMicroPython } from "../../tools/site/page_torch/engine/micropython.js";
import { ops } from "../../tools/site/page_torch/engine/ops.js";

const SITE = join(dirname(fileURLToPath(import.meta.url)), "../../tools/site");
const PYTHON = join(SITE, "page_torch/python");

let printed = [];
const micropython = await loadMicroPython({
  wasm: new WebAssembly.Module(
    readFileSync(join(SITE, "vendor/micropython/micropython.wasm")),
  ),
  heapsize: 16 * 1024 * 1024,
  pystack: 64 * 1024,
  stdout: (line) => printed.push(line),
});
const clear = connect(micropython, ops);
const files = {};
for (const entry of readdirSync(PYTHON, { recursive: true, withFileTypes: true })) {
  if (entry.isFile() && entry.name.endsWith(".py")) {
    const path = join(entry.parentPath, entry.name);
    files[relative(PYTHON, path)] = readFileSync(path, "utf8");
  }
}
files["runner.py"] = readFileSync(join(SITE, "../../tests/in_page/runner.py"), "utf8");
load(micropython, files);
const start = performance.now();
micropython.runPython("import runner");
process.stdout.write(`${JSON.stringify({ import_ms: performance.now() - start })}\n`);

for await (const line of createInterface({ input: process.stdin })) {
  printed = [];
  micropython.globals.set("job", line);
  let answer;
  try {
    clear();
    micropython.runPython("answer = runner.run(job)");
    answer = JSON.parse(micropython.globals.get("answer"));
  } catch (error) {
    answer = { error: ["harness", String(error), null] };
  }
  process.stdout.write(
    `${JSON.stringify({ ...answer, printed: printed.join("\n") })}\n`,
  );
}
