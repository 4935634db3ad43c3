// Evaluates, for the fixture `evaluate`, an expression a line beside the figures' engines.
const { createInterface } = require("node:readline");

// what core.js asks of a page before the first figure is drawn
globalThis.HTMLElement = class {};
globalThis.customElements = { get: () => undefined, define: () => {} };
globalThis.CSS = { registerProperty: () => {} };

// JSON has no such numbers
const odd = (key, value) =>
  typeof value === "number" && !Number.isFinite(value)
    ? { number: String(value) }
    : value;

function answer(expression, argument) {
  try {
    let value = (0, eval)(`(${expression}\n)`);
    if (typeof value === "function") value = value((0, eval)(`(${argument})`));
    return { value };
  } catch (error) {
    return { error: String(error.stack) };
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const [script, expression, argument] = JSON.parse(line);
  if (script) (0, eval)(script);
  const said = JSON.stringify(answer(expression, argument), odd);
  process.stdout.write(`${said}\n`);
});
