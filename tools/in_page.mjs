// Make what runs exercises in a page: `npm run build`. The results are committed, since
// who builds the book has no npm. `--check` compares only.
//
// - page_torch/minified/engine.js: what the worker runs, bundled;
// - vendor/micropython/micropython.wasm: npm's, without most of the Python modules that
//   are frozen in it, which no page can use and which take an eighth of its bytes.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const site = join(import.meta.dirname, "site");
const npm = join(
  import.meta.dirname,
  "../node_modules/@micropython/micropython-webassembly-pyscript/micropython.wasm",
);
const KEPT = ["abc.py", "binascii.py", "io.py", "operator.py", "string.py"];
KEPT.push("time.py", "types.py");
const FIRST = "asyncio/event.py\0asyncio/funcs.py\0"; // of the list of frozen modules

async function engine() {
  const { outputFiles } = await build({
    entryPoints: [join(site, "page_torch/engine/worker.js")],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    charset: "utf8",
    target: ["chrome111", "firefox115", "safari16.4"],
  });
  return Buffer.from(outputFiles[0].contents);
}

/**
 * The segments of a wasm's data: where each lies in memory and in the file.
 * @param {Buffer} wasm
 */
function segments(wasm) {
  let at = 8;
  const number = () => {
    let found = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++];
      found += (byte & 127) * 2 ** shift;
      if (byte < 128) return found;
    }
  };
  while (at < wasm.length) {
    const section = wasm[at++];
    const end = number() + at;
    if (section === 11)
      return Array.from({ length: number() }, () => {
        at += 2; // active; i32.const
        const memory = number();
        at += 1; // end
        const size = number();
        at += size;
        return { memory, file: at - size, size };
      });
    at = end;
  }
  throw new Error("the wasm has no data");
}

/** MicroPython without what is frozen in it, but for a few modules. */
function micropython() {
  const wasm = readFileSync(npm);
  const data = segments(wasm);
  const place = (address) => {
    const of = data.find((s) => address >= s.memory && address < s.memory + s.size);
    return address - of.memory + of.file;
  };
  const list = wasm.indexOf(FIRST);
  const names = wasm.toString("latin1", list, wasm.indexOf("\0\0", list)).split("\0");
  // after the names, in words: of each module its names, its objects and its code; all
  // that a module has stands between its names and those of the next
  const [{ memory, file }] = data;
  let table = list + names.join("\0").length + 2;
  while ((table - file + memory) % 4) table++;
  const starts = names.map((_, i) => place(wasm.readUInt32LE(table + 12 * i)));
  let at = list;
  names.forEach((name, i) => {
    if (!KEPT.includes(name)) {
      wasm.fill(1, at, at + name.length);
      if (i + 1 < names.length) wasm.fill(0, starts[i], starts[i + 1]);
    }
    at += name.length + 1;
  });
  if (!starts.every((start, i) => i === 0 || start > starts[i - 1]))
    throw new Error("the frozen modules of this MicroPython lie in another order");
  return wasm;
}

const made = {
  "page_torch/minified/engine.js": await engine(),
  "vendor/micropython/micropython.wasm": micropython(),
};
for (const [name, content] of Object.entries(made)) {
  const path = join(site, name);
  if (process.argv.includes("--check")) {
    let kept = Buffer.alloc(0);
    try {
      kept = readFileSync(path);
    } catch {}
    if (!kept.equals(content)) {
      console.error(`${name}: run \`make format\``);
      process.exitCode = 1;
    }
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}
