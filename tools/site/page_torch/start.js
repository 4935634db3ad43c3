/* Starts a worker that runs Python. What it runs is packed below, when the book is built:
   by LZMA, which takes a seventh less than gzip, and as text, since a page opened from a
   file may fetch nothing. */
self.bookEngine = {
  /** A worker that begins to load Python; its first message says that it is ready. */
  async start() {
    this.opened ??= this.open();
    const { url, wasm, files } = await this.opened;
    const worker = new Worker(url);
    worker.postMessage({ boot: { wasm, files } });
    return worker;
  },

  async open() {
    const { code, files, wasm } = this.parts();
    const url = URL.createObjectURL(new Blob([code]));
    return { url, files, wasm: await WebAssembly.compile(wasm) };
  },

  /** The wasm, the worker's code, and Python's files: names and texts in turn. */
  parts() {
    const bytes = this.unpacked(
      Uint8Array.from(atob(this.packed), (c) => c.charCodeAt(0)),
    );
    let from = 0;
    const [wasm, code, texts] = this.sizes.map((size) => {
      from += size;
      return bytes.subarray(from - size, from);
    });
    const read = (part) => new TextDecoder().decode(part);
    const files = {};
    const words = read(texts).split("\0");
    for (let at = 0; at < words.length; at += 2) files[words[at]] = words[at + 1];
    return { wasm, code: read(code), files };
  },

  /** What raw LZMA (lc 3, lp 0, pb 0) has packed, by the format's specification. */
  unpacked(source) {
    const out = new Uint8Array(this.sizes.reduce((sum, size) => sum + size));
    const chances = (count) => new Uint16Array(count).fill(1024);
    const literals = chances(0x300 << 3);
    const [isMatch, isRep, isRep0, isRep1, isRep2, isLong] = Array.from(
      { length: 6 },
      () => chances(12),
    );
    const slots = Array.from({ length: 4 }, () => chances(64));
    const special = chances(128);
    const aligned = chances(16);
    const lengths = Array.from({ length: 2 }, () => ({
      choice: chances(2),
      trees: [chances(8), chances(8), chances(256)],
    }));
    let range = 2 ** 32 - 1;
    let code = 0;
    let read = 1;
    while (read < 5) code = code * 256 + source[read++];
    const shift = () => {
      if (range >= 2 ** 24) return;
      range *= 256;
      code = code * 256 + source[read++];
    };
    const bit = (of, at) => {
      const bound = (range >>> 11) * of[at];
      const found = code < bound ? 0 : 1;
      if (found) {
        range -= bound;
        code -= bound;
        of[at] -= of[at] >> 5;
      } else {
        range = bound;
        of[at] += (2048 - of[at]) >> 5;
      }
      shift();
      return found;
    };
    const tree = (of, bits) => {
      let node = 1;
      for (let n = 0; n < bits; n++) node = 2 * node + bit(of, node);
      return node - (1 << bits);
    };
    const reversed = (of, bits, base = 0) => {
      let node = 1;
      let found = 0;
      for (let n = 0; n < bits; n++) {
        const next = bit(of, base + node);
        node = 2 * node + next;
        found += next << n;
      }
      return found;
    };
    const direct = (bits) => {
      let found = 0;
      for (let n = 0; n < bits; n++) {
        range = Math.floor(range / 2);
        const next = code < range ? 0 : 1;
        code -= next * range;
        found = 2 * found + next;
        shift();
      }
      return found;
    };
    const length = ({ choice, trees }) => {
      if (!bit(choice, 0)) return 2 + tree(trees[0], 3);
      return bit(choice, 1) ? 18 + tree(trees[2], 8) : 10 + tree(trees[1], 3);
    };
    const distance = (size) => {
      const slot = tree(slots[Math.min(size - 2, 3)], 6);
      if (slot < 4) return slot;
      const bits = (slot >> 1) - 1;
      const first = (2 + (slot & 1)) * 2 ** bits;
      if (slot < 14) return first + reversed(special, bits, first - slot);
      return first + direct(bits - 4) * 16 + reversed(aligned, 4);
    };
    const literal = (base, match) => {
      let node = 1;
      let matching = match >= 0;
      for (let left = match; node < 256; ) {
        const wanted = (left >> 7) & 1;
        left <<= 1;
        const next = bit(literals, base + (matching ? (1 + wanted) << 8 : 0) + node);
        matching &&= next === wanted;
        node = 2 * node + next;
      }
      return node & 255;
    };
    let at = 0;
    let state = 0;
    let back = [0, 0, 0, 0];
    while (at < out.length) {
      if (!bit(isMatch, state)) {
        const base = 0x300 * ((at && out[at - 1]) >> 5);
        out[at] = literal(base, state < 7 ? -1 : out[at - back[0] - 1]);
        at++;
        state = state < 4 ? 0 : state - (state < 10 ? 3 : 6);
        continue;
      }
      let size = 1;
      if (!bit(isRep, state)) {
        size = length(lengths[0]);
        back = [distance(size), back[0], back[1], back[2]];
        state = state < 7 ? 7 : 10;
      } else {
        let which = 0;
        if (bit(isRep0, state)) which = bit(isRep1, state) ? 2 + bit(isRep2, state) : 1;
        const short = which === 0 && !bit(isLong, state);
        back = [back[which], ...back.slice(0, which), ...back.slice(which + 1)];
        if (!short) size = length(lengths[1]);
        state = state < 7 ? 8 + short : 11;
      }
      for (const end = Math.min(at + size, out.length); at < end; at++)
        out[at] = out[at - back[0] - 1];
    }
    return out;
  },
};
