// Checks readers' texts as the page's worker does: one job a line, one verdict a line.
// The first line holds Python's files, {path: text}; a job is what worker.js gets.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { boot } from "../../tools/site/page_torch/engine/session.js";

const wasm = new WebAssembly.Module(
  readFileSync(
    `${import.meta.dirname}/../../tools/site/vendor/micropython/micropython.wasm`,
  ),
);
let session;
let printed = "";
const print = (line) => {
  printed += `${line}\n`;
};
let files;

for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  let said;
  if (job.files) files = job.files;
  if (!session || job.files) {
    const start = performance.now();
    session = await boot({ wasm, files, print }).catch((error) => {
      process.stderr.write(`${String(error).slice(0, 2000)}\n`);
      process.exit(1);
    });
    said = { milliseconds: performance.now() - start };
  }
  if (job.check) {
    printed = "";
    for (const [name, text] of Object.entries(job.data ?? {})) {
      job.data[name] = Uint8Array.from(Buffer.from(text, "base64"));
    }
    said = { ...session.run(job), printed };
    if (said.dead) session = null;
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
