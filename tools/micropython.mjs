// Make MicroPython smaller for the page, once for a version: `node tools/micropython.mjs`
// writes vendor/micropython/micropython.wasm from npm's. Most of the Python modules that
// are frozen in it are left out, since no page can use them; then wasm-opt drops what only
// a terminal calls. Both take a fifth of its packed bytes.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const npm = "../node_modules/@micropython/micropython-webassembly-pyscript/";
const source = join(import.meta.dirname, npm, "micropython.wasm");
const target = join(import.meta.dirname, "site/vendor/micropython/micropython.wasm");
const KEPT = ["abc.py", "string.py", "types.py"];
const FIRST = "asyncio/event.py\0asyncio/funcs.py\0"; // of the list of frozen modules
const UNUSED = ["__em_js__*", "__st*", "mp_js_repl_*", "mp_js_do_exec_async", "fflush"];
UNUSED.push("strerror", "mp_sched_keyboard_interrupt", "mp_hal_get_interrupt_char");
UNUSED.push("proxy_c_to_js_resume");

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
  const wasm = readFileSync(source);
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

writeFileSync(target, micropython());
execFileSync(
  "npx",
  [
    "--yes",
    "--package=binaryen@132.0.0",
    "wasm-opt",
    target,
    ...UNUSED.map((name) => `--remove-exports=${name}`),
    "--detect-features",
    "--strip-producers",
    "--strip-target-features",
    "-Oz",
    "--converge",
    `--output=${target}`,
  ],
  { stdio: "inherit" },
);
