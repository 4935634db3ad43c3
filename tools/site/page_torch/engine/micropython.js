// MicroPython's WebAssembly in a worker: the parts of its own script, micropython.mjs
// (MIT, copyright Damien P. George and others), that a page needs, in a third of the
// bytes: without Emscripten's file system, its checks, promises and a terminal.
//
// loadMicroPython({wasm, heapsize, pystack, stdout}) gives what that script gives:
//   runPython(code), globals.get(name) and .set(name, value), registerJsModule(name, o),
//   FS (writeFile, mkdir, analyzePath, makedev, registerDevice, mkdev, end), _module.setValue

export class PythonError extends Error {
  constructor(type, text) {
    super(text);
    this.name = "PythonError";
    this.type = type;
  }
}

const NOT_THERE = -44; // ENOENT
const NOT_SUPPORTED = -52; // ENOSYS
const FOLDER = 0o40777;
const FILE = 0o100666;
const DEVICE = 0o20666;
const CREATE = 64;
const EMPTY = 512;
const APPEND = 1024;
// how a value goes to Python
const TO = { undefined: 0, null: 1, boolean: 2, integer: 3, double: 4, string: 5 };
Object.assign(TO, { known: 6, object: 7, python: 8 });
// how one comes from there
const FROM = { exception: -1, null: 0, none: 1, boolean: 2, integer: 3, double: 4 };
Object.assign(FROM, { string: 5, callable: 6, generator: 7, object: 9, known: 10 });
const MAKER = "constructor"; // of a function it makes others, out of any text
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Files in memory, as far as imports and devices need them. */
function fileSystem(stdout) {
  const nodes = new Map([["/", { mode: FOLDER }]]);
  const streams = [{}, {}, {}];
  const devices = new Map();
  let line = [];
  const whole = (path) =>
    `/${path
      .split("/")
      .filter((p) => p && p !== ".")
      .join("/")}`;

  function flush() {
    stdout?.(decoder.decode(new Uint8Array(line)));
    line = [];
  }

  function print(bytes) {
    for (const byte of bytes) {
      if (byte === 10) flush();
      else line.push(byte);
    }
  }

  return {
    nodes,
    streams,
    end: () => line.length && flush(), // the last line, which has not ended
    writeFile(path, data) {
      const bytes = typeof data === "string" ? encoder.encode(data) : data;
      nodes.set(whole(path), { mode: FILE, bytes });
    },
    mkdir: (path) => nodes.set(whole(path), { mode: FOLDER }),
    analyzePath: (path) => ({ exists: nodes.has(whole(path)) }),
    find: (path) => nodes.get(whole(path)),
    makedev: (major, minor) => major * 256 + minor,
    registerDevice: (number, device) => devices.set(number, device),
    mkdev: (path, _mode, number) =>
      nodes.set(whole(path), { mode: DEVICE, device: devices.get(number) }),
    open(path, flags) {
      let node = nodes.get(whole(path));
      if (!node && !(flags & CREATE)) return NOT_THERE;
      if (!node || (flags & EMPTY && node.bytes)) {
        node = { mode: FILE, bytes: new Uint8Array(0) };
        nodes.set(whole(path), node);
      }
      const at = flags & APPEND ? node.bytes.length : 0;
      return streams.push({ node, at }) - 1;
    },
    read(stream, heap, from, length) {
      const { node, at } = stream;
      if (!node) return 0;
      if (node.device) return node.device.read(stream, heap, from, length);
      const part = node.bytes.subarray(at, at + length);
      heap.set(part, from);
      stream.at += part.length;
      return part.length;
    },
    write(stream, heap, from, length) {
      const { node, at } = stream;
      const part = heap.slice(from, from + length);
      if (!node) print(part);
      else if (node.device) return node.device.write(stream, heap, from, length);
      else {
        const bytes = new Uint8Array(Math.max(node.bytes.length, at + length));
        bytes.set(node.bytes);
        bytes.set(part, at);
        node.bytes = bytes;
        stream.at += length;
      }
      return length;
    },
  };
}

/** Starts Python. */
export async function loadMicroPython({ wasm, heapsize, pystack, stdout }) {
  const FS = fileSystem(stdout);
  const table = [];
  let exports = null;
  let bytes = null;
  let ints = null;
  let doubles = null;
  let longs = null;

  function look() {
    const { buffer } = exports.memory;
    bytes = new Uint8Array(buffer);
    ints = new Int32Array(buffer);
    doubles = new Float64Array(buffer);
    longs = new BigInt64Array(buffer);
  }

  const text = (at, end = bytes.indexOf(0, at)) =>
    decoder.decode(bytes.subarray(at, end));

  /** A text in Python's memory, which is to be freed. */
  function given(words) {
    const encoded = encoder.encode(words);
    const at = exports.malloc(encoded.length + 1);
    bytes.set(encoded, at);
    bytes[at + encoded.length] = 0;
    return [at, encoded.length];
  }

  /** Call with a text as one of the arguments. */
  function named(words, call) {
    const [at] = given(words);
    const result = call(at);
    exports.free(at);
    return result;
  }

  // Objects that Python holds, by number; those of Python that are held here.
  const held = [{}, undefined]; // the module js has nothing: no network, no page
  const numbers = new Map();
  const proxies = new Map();
  const known = [undefined];
  let free = held.length;
  const gone = new FinalizationRegistry((number) => {
    proxies.delete(number);
    exports.proxy_c_free_obj(number);
  });

  function hold(object) {
    while (free < held.length && held[free] !== undefined) free += 1;
    held[free] = object;
    numbers.set(object, free);
    free += 1;
    return free - 1;
  }

  function toPython(value, at, proxied = true) {
    const put = (kind, number = 0) => {
      ints[at >> 2] = kind;
      ints[(at + 4) >> 2] = number;
    };
    if (value === undefined) put(TO.undefined);
    else if (value === null) put(TO.null);
    else if (typeof value === "boolean") put(TO.boolean, Number(value));
    else if (typeof value === "number" && Number.isInteger(value))
      put(TO.integer, value);
    else if (typeof value === "number") {
      const [low, high] = new Int32Array(new Float64Array([value]).buffer);
      put(TO.double, low);
      ints[(at + 8) >> 2] = high;
    } else if (typeof value === "string") {
      const [place, length] = given(value);
      put(TO.string, length);
      ints[(at + 8) >> 2] = place;
    } else if (proxied && value instanceof Proxied) put(TO.python, value._ref);
    else if (proxied && typeof value === "function" && "_ref" in value)
      put(TO.python, value._ref);
    else {
      const number = numbers.get(value);
      if (number === undefined) put(TO.object, hold(value));
      else put(TO.known, number);
    }
  }

  function toScript(at) {
    const kind = ints[at >> 2];
    const number = ints[(at + 4) >> 2];
    if (kind === FROM.exception) {
      const place = ints[(at + 8) >> 2];
      const [type, said] = text(place, place + number).split("\x04");
      exports.free(place);
      throw new PythonError(type, said);
    }
    if (kind === FROM.null) throw new Error("NULL object");
    if (kind === FROM.none) return null;
    if (kind === FROM.boolean) return Boolean(number);
    if (kind === FROM.integer) return number;
    if (kind === FROM.double) {
      const halves = new Int32Array([number, ints[(at + 8) >> 2]]);
      return new Float64Array(halves.buffer)[0];
    }
    if (kind === FROM.string) {
      const place = ints[(at + 8) >> 2];
      return text(place, place + number);
    }
    if (kind === FROM.object) return held[number];
    if (kind === FROM.known) {
      const value = known[number];
      known[number] = undefined;
      return value;
    }
    const value =
      kind === FROM.callable
        ? Object.assign((...args) => callPython(number, args), { _ref: number })
        : new Proxy(new Proxied(number), asObject);
    gone.register(value, number);
    proxies.set(number, new WeakRef(value));
    return value;
  }

  /** What is written at a fresh place of Python's memory. */
  function answer(write) {
    const at = exports.malloc(12);
    write(at);
    try {
      return toScript(at);
    } finally {
      exports.free(at);
    }
  }

  function callPython(number, args) {
    const at = args.length ? exports.malloc(12 * args.length) : 0;
    args.forEach((value, i) => {
      toPython(value, at + 12 * i);
    });
    try {
      return answer((out) => exports.proxy_c_to_js_call(number, args.length, at, out));
    } finally {
      if (at) exports.free(at);
    }
  }

  // An object of Python: its attributes, and its items one by one.
  const asObject = {
    has: (target, name) =>
      typeof name !== "string"
        ? name === Symbol.iterator
        : Boolean(named(name, (at) => exports.proxy_c_to_js_has_attr(target._ref, at))),
    get(target, name) {
      if (name === "_ref") return target._ref;
      if (name === Symbol.iterator) return () => items(target._ref);
      if (typeof name !== "string" || name === "then") return undefined;
      return answer((out) =>
        named(name, (at) => exports.proxy_c_to_js_lookup_attr(target._ref, at, out)),
      );
    },
    set(target, name, value) {
      const at = exports.malloc(12);
      toPython(value, at);
      const done = named(name, (words) =>
        exports.proxy_c_to_js_store_attr(target._ref, words, at),
      );
      exports.free(at);
      return Boolean(done);
    },
  };

  function* items(number) {
    const iterator = exports.proxy_c_to_js_get_iter(number);
    const at = exports.malloc(12);
    while (exports.proxy_c_to_js_iternext(iterator, at)) yield toScript(at);
    exports.free(at);
  }

  const values = (at, count) =>
    Array.from({ length: count }, (_, i) => toScript(at + 12 * i));
  const named_values = (names, at, count) =>
    Object.fromEntries(
      values(at, count).map((value, i) => [text(ints[(names >> 2) + i]), value]),
    );

  // What the wasm asks of a script, by the names of MicroPython's objjsproxy.c
  const called = {
    has_attr: (o, name) => text(name) in held[o],
    lookup_attr(o, name, out) {
      const base = held[o];
      const attribute = text(name);
      if (attribute === MAKER) return 0;
      const value = base[attribute];
      if (value === undefined && !(attribute in base)) return 0;
      toPython(value, out);
      return typeof value === "function" && !("_ref" in value) ? 2 : 1;
    },
    store_attr(o, name, value) {
      held[o][text(name)] = toScript(value);
    },
    call0(f, out) {
      const call = held[f];
      toPython(call(), out);
    },
    call1(f, via, a, out) {
      const value = toScript(a);
      const call = held[f];
      toPython(via ? call.call(value) : call(value), out);
    },
    call2(f, via, a, b, out) {
      const first = toScript(a);
      const second = toScript(b);
      const call = held[f];
      toPython(via ? call.call(first, second) : call(first, second), out);
    },
    calln(f, via, count, at, out) {
      const args = values(at, count);
      const call = held[f];
      toPython(via ? call.call(...args) : call(...args), out);
    },
    call0_kwarg(f, via, count, names, at, out) {
      const given = named_values(names, at, count);
      const call = held[f];
      toPython(via ? call.call(given) : call(given), out);
    },
    calln_kwarg(f, via, count, at, more, names, words, out) {
      const args = [...values(at, count), named_values(names, words, more)];
      const call = held[f];
      toPython(via ? call.call(...args) : call(...args), out);
    },
    js_reflect_construct: (f, count, at, out) =>
      toPython(Reflect.construct(held[f], values(at, count)), out),
    js_get_iter: (o, out) => toPython(held[o][Symbol.iterator](), out),
    js_iter_next(o, out) {
      const { done, value } = held[o].next();
      if (!done) toPython(value, out);
      return !done;
    },
    js_subscr_load(o, index, out) {
      const target = held[o];
      let at = toScript(index);
      if (typeof at === "number") {
        at += at < 0 ? target.length : 0;
        if (at < 0 || at >= target.length)
          throw new PythonError("IndexError", "index out of range");
      }
      if (at === MAKER) throw new PythonError("KeyError", MAKER);
      toPython(target[at], out);
    },
    js_subscr_store(o, index, value) {
      held[o][toScript(index)] = toScript(value);
    },
    js_check_existing(number) {
      const object = proxies.get(number)?.deref();
      if (object === undefined) return -1;
      const at = known.indexOf(undefined);
      if (at < 0) return known.push(object) - 1;
      known[at] = object;
      return at;
    },
    js_get_error_info(o, name, message) {
      toPython(held[o].name, name);
      toPython(held[o].message, message);
    },
    proxy_js_free_obj(o) {
      if (o < 2) return;
      numbers.delete(held[o]);
      held[o] = undefined;
      free = Math.min(free, o);
    },
    proxy_convert_mp_to_js_then_js_to_mp_obj_jsside: (at) =>
      toPython(toScript(at), at, false),
    proxy_convert_mp_to_js_then_js_to_js_then_js_to_mp_obj_jsside: (at) =>
      toPython(toScript(at), at),
    mp_js_random_u32: () => crypto.getRandomValues(new Uint32Array(1))[0],
    mp_js_ticks_ms: () => performance.now(),
    mp_js_time_ms: () => Date.now(),
  };

  function state(node, at) {
    if (!node) return NOT_THERE;
    bytes.fill(0, at, at + 96);
    ints[(at + 4) >> 2] = node.mode;
    ints[(at + 8) >> 2] = 1;
    longs[(at + 24) >> 3] = BigInt(node.bytes?.length ?? 0);
    return 0;
  }

  function passed(one, stream, parts, count, total) {
    let sum = 0;
    for (let i = parts >> 2; i < (parts >> 2) + 2 * count; i += 2) {
      const done = one(stream, bytes, ints[i], ints[i + 1]);
      sum += done;
      if (done < ints[i + 1]) break;
    }
    ints[total >> 2] = sum;
    return 0;
  }

  const system = {
    __syscall_openat: (_folder, path, flags) => FS.open(text(path), flags),
    __syscall_stat64: (path, at) => state(FS.find(text(path)), at),
    __syscall_lstat64: (path, at) => state(FS.find(text(path)), at),
    __syscall_newfstatat: (_folder, path, at) => state(FS.find(text(path)), at),
    __syscall_fstat64: (number, at) => state(FS.streams[number]?.node, at),
    __syscall_getcwd(at) {
      bytes.set([47, 0], at);
      return 2;
    },
    fd_read: (number, ...rest) => passed(FS.read, FS.streams[number], ...rest),
    fd_write: (number, ...rest) => passed(FS.write, FS.streams[number], ...rest),
    fd_close(number) {
      delete FS.streams[number];
      return 0;
    },
    fd_sync: () => 0,
    fd_seek(number, offset, whence, at) {
      const stream = FS.streams[number];
      if (!stream.node?.bytes) return 70; // ESPIPE
      const base = [0, stream.at, stream.node.bytes.length][whence];
      stream.at = base + Number(offset);
      longs[at >> 3] = BigInt(stream.at);
      return 0;
    },
    emscripten_resize_heap(size) {
      const more = (size >>> 0) - bytes.length;
      // some more, so that it does not grow by each bit
      const wanted = Math.max(more, bytes.length / 5);
      try {
        exports.memory.grow(Math.ceil(wanted / 65536));
      } catch {
        return 0;
      }
      look();
      return 1;
    },
    _abort_js() {
      throw new WebAssembly.RuntimeError("abort");
    },
    // C's longjmp throws a number, which whoever called by `invoke` catches
    _emscripten_throw_longjmp() {
      throw Number.POSITIVE_INFINITY;
    },
  };

  function invoke(index, a, b, c, d, e) {
    const stack = exports.emscripten_stack_get_current();
    try {
      table[index] ??= exports.__indirect_function_table.get(index);
      return table[index](a, b, c, d, e);
    } catch (error) {
      exports._emscripten_stack_restore(stack);
      if (error !== Number.POSITIVE_INFINITY) throw error;
      exports.setThrew(1, 0);
      return 0;
    }
  }

  const own = { ...called, ...system };
  const imports = {};
  for (const { module, name } of WebAssembly.Module.imports(wasm)) {
    imports[module] ??= {};
    imports[module][name] = name.startsWith("invoke_")
      ? invoke
      : (own[name] ?? (() => NOT_SUPPORTED));
  }
  exports = (await WebAssembly.instantiate(wasm, imports)).exports;
  look();
  exports.emscripten_stack_init();
  exports.__wasm_call_ctors();
  exports.mp_js_init(pystack, heapsize);
  exports.proxy_c_init();

  const main = answer((out) =>
    named("__main__", (at) => exports.mp_js_do_import(at, out)),
  );
  return {
    FS,
    _module: {
      setValue(at, value) {
        doubles[at >> 3] = value;
      },
    },
    globals: {
      get: (name) => main.__dict__[name],
      set(name, value) {
        main.__dict__[name] = value;
      },
    },
    registerJsModule(name, module) {
      const at = exports.malloc(12);
      toPython(module, at);
      named(name, (words) => exports.mp_js_register_js_module(words, at));
      exports.free(at);
    },
    runPython(code) {
      const [at, length] = given(code);
      try {
        return answer((out) => exports.mp_js_do_exec(at, length, out));
      } finally {
        exports.free(at);
      }
    },
  };
}

/** An object of Python that is held here. */
class Proxied {
  constructor(ref) {
    this._ref = ref;
  }
}
