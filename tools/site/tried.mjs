// Checks answers by the page's own scripts under node: node tried.mjs STATIC <JOBS
// A job, a line, is {name, text}; so is its verdict, {state, message, ms}. STATIC is
// the folder with engine.js and what else a page loads.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { runInThisContext } from "node:vm";
import { Worker } from "node:worker_threads";

const LIMIT = 60_000; // milliseconds
// what a browser's worker has and node's lacks
const BROWSER = `
const { parentPort } = require("node:worker_threads");
self = globalThis;
self.WorkerGlobalScope = class {};
self.postMessage = (data) => parentPort.postMessage(data);
self.addEventListener = (type, listen) => parentPort.on(type, (data) => listen({ data }));
parentPort.on("message", (data) => self.onmessage?.({ data }));
`;

const exercises = {};
const data = {};
globalThis.self = globalThis;
globalThis.bookExercises = {
  add: (name, exercise) => (exercises[name] = exercise),
  data: (name, text) => (data[name] = text),
};
const load = (path) =>
  runInThisContext(readFileSync(join(process.argv[2], path), "utf8"));
load("engine.js");
const { code, files, wasm } = bookEngine.parts();
const compiled = await WebAssembly.compile(wasm);

let worker = null;
let said = null;
/** What a worker says to a message. */
function asked(message) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => said({ state: "late", message: "" }), LIMIT);
    said = (verdict) => {
      clearTimeout(timer);
      resolve(verdict);
    };
    worker.postMessage(message);
  });
}

async function started() {
  worker = new Worker(BROWSER + code, { eval: true });
  worker.on("message", (data) => {
    if (data.ready || data.verdict) said(data.verdict ?? {});
  });
  worker.on("error", (error) => said({ state: "died", message: String(error) }));
  return asked({ boot: { wasm: compiled, files } });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { name, text } = JSON.parse(line);
  if (!exercises[name]) load(`exercises/${name}.js`);
  for (const need of exercises[name].needs) if (!data[need]) load(`${need}.js`);
  const begun = worker ? {} : await started();
  const start = performance.now();
  const given = { check: name, exercise: exercises[name], data, text };
  const verdict = begun.state ? begun : await asked(given);
  if (["late", "died"].includes(verdict.state)) {
    worker.terminate();
    worker = null;
  }
  verdict.ms = performance.now() - start;
  process.stdout.write(`${JSON.stringify(verdict)}\n`);
}
process.exit();
