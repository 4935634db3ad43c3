/* Starts a worker that runs Python; its files are added below when the book is built. */
self.bookEngine = {
  async start() {
    this.compiled ??= this.compile();
    const wasm = await this.compiled;
    this.url ??= URL.createObjectURL(new Blob([this.worker]));
    const worker = new Worker(this.url);
    worker.postMessage({ boot: { wasm, files: this.files } });
    return worker;
  },
  /** A page opened from a file may fetch nothing, so the wasm lies in this script. */
  async compile() {
    const bytes = Uint8Array.from(atob(this.wasm), (c) => c.charCodeAt(0));
    const zipped = new Blob([bytes]).stream();
    const unzipped = zipped.pipeThrough(new DecompressionStream("gzip"));
    return WebAssembly.compile(await new Response(unzipped).arrayBuffer());
  },
};
