// Errors of the engine: each has the name and the text of the Python exception.
// raise(kind, text)  throws kind ("RuntimeError", "ValueError", ...) with its text
// notHere(what)      throws NotHere: what torch can and the page cannot

export class TorchError extends Error {
  constructor(kind, text) {
    super(text);
    this.kind = kind;
  }
}

export function raise(kind, text) {
  throw new TorchError(kind, text);
}

export function notHere(what) {
  raise("NotHere", `${what} is not there in the page; open the notebook in Colab.`);
}
