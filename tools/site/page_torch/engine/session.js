// Python for one page: boots MicroPython, runs a reader's text, tells the verdict.
// boot({wasm, files, print}) gives a session, wasm being a WebAssembly.Module
// session.warm() imports what most exercises need, before one is checked
// session.run(job) gives {state, message, line, milliseconds}, job being what exercise.js
//   posts: {check: name, exercise, data: {name: bytes}, text}
import { connect, load } from "./bridge.js";
import { loadMicroPython } from "./micropython.js";
import { ops } from "./ops.js";
import * as source from "./source.js";

const HEAP = 16 * 2 ** 20;
const STACK = 256 * 2 ** 10;
// files whose text is made plainer before Python reads them
const PLAINER = /^layers_book\/(exercises|checking\/(steps|values))\b/;
const DEAD =
  "Python in the page has come to its end, as where a function calls itself too often:" +
  " it starts anew with the next check.";

/** Starts MicroPython with the engine and the given Python files. */
export async function boot({ wasm, files, print }) {
  const micropython = await loadMicroPython({
    wasm,
    heapsize: HEAP,
    pystack: STACK,
    stdout: print,
  });
  const clear = connect(micropython, ops);
  micropython.registerJsModule("_source", {
    plainer: source.plainer,
    operations: (code, line) => source.operations(code, line).join("\n"),
    placed: source.placed,
    reduced: source.reduced,
    words: (code) => source.words(code).join(" "),
    mended: source.mended,
  });
  const written = new Set();
  const write = (given) => {
    const fresh = Object.entries(given).filter(([path]) => !written.has(path));
    for (const [path] of fresh) written.add(path);
    load(
      micropython,
      Object.fromEntries(
        fresh.map(([path, text]) => [
          path,
          PLAINER.test(path) ? source.plainer(text) : text,
        ]),
      ),
    );
  };
  write(files);
  micropython.runPython("import page");

  function run({ check, exercise, data = {}, text }) {
    const start = performance.now();
    let found;
    try {
      clear();
      write(exercise.modules);
      for (const [name, bytes] of Object.entries(data)) {
        micropython.FS.writeFile(`/${name}.bin`, bytes);
      }
      const strange = source.strange(text);
      const lacks = source.lacking(text);
      if (strange) found = { state: "error", ...strange };
      else if (lacks) {
        const message = `The page's Python does not have ${lacks.what}, in line ${lacks.line} of your code: write it another way, or open the notebook in Colab.`;
        found = { state: "missing", message, line: lacks.line };
      } else found = ask(check, text, exercise);
    } catch (error) {
      found = {
        state: "error",
        message: DEAD,
        line: 0,
        dead: true,
        why: String(error),
      };
    }
    micropython.FS.end();
    return { ...found, milliseconds: performance.now() - start };
  }

  function ask(name, text, { frozen, setup = "", modules }) {
    const path = Object.keys(modules).find((file) => !file.endsWith("__init__.py"));
    const module = path.slice(0, -3).replaceAll("/", ".");
    micropython.globals.set("_name", name);
    micropython.globals.set("_text", text.replaceAll("\r\n", "\n"));
    micropython.globals.set("_given", JSON.stringify({ frozen, setup, module }));
    micropython.runPython("_verdict = page.run(_name, _text, _given)");
    return JSON.parse(micropython.globals.get("_verdict"));
  }

  const warm = () => micropython.runPython("page.warm()");

  return { run, warm, micropython };
}
