// The worker of exercise.js: boots Python, then a verdict for each text.
import { boot } from "./session.js";

const MOST = 30_000; // characters that are posted of what one text prints

let session = null;
let printed = 0;

function print(line) {
  if (printed > MOST) return;
  printed += line.length + 1;
  const shown = printed > MOST ? `${line.slice(0, MOST)}\n… and more` : line;
  self.postMessage({ printed: `${shown}\n` });
}

async function bytes(text) {
  const gzip = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([gzip]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function answer(job) {
  const data = {};
  for (const [name, text] of Object.entries(job.data ?? {})) {
    data[name] = await bytes(text);
  }
  printed = 0;
  self.postMessage({ verdict: session.run({ ...job, data }) });
}

self.onmessage = async ({ data }) => {
  if (data.boot) {
    session = await boot({ print, ...data.boot });
    self.postMessage({ ready: true });
    setTimeout(session.warm); // while the reader thinks
  } else if (data.check) await answer(data);
};
