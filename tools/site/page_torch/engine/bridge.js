// Between MicroPython and the engine.
//
// connect(micropython, ops): registers the module `_engine`, which has every function of
//   ops; one that raises gives null, and failure() is then "kind\ntext". Besides:
//   number(x, address)         writes x's one element as a double into Python's memory
//   send(x) -> count           its elements can be read from /dev/engine as doubles
//   receive(count)             then write doubles to /dev/engine, then made(shape, dtype)
//   shape(x), strides(x)       "2,3"     type(x)  its place in the order of DTYPES
//   requires(x)  made_by(x)    the step's name or ""     pointer(x)  where its memory is
//   gives clear(), to be called between two texts: lets Python free what it can
// load(micropython, files)     puts Python files, {path: text}, where import finds them
import {
  alias,
  broadcastShapes,
  checkHolds,
  DTYPES,
  grad,
  ints,
  promote,
  raise,
  record,
  resultType,
  sameShape,
  shapeText,
  sumTo,
  Tensor,
  tensor_from,
  typeNames,
  values,
} from "./tensor.js";

const CODES = new Map();
for (const name of "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split(
  " ",
)) {
  CODES.set(DTYPES[name], CODES.size);
}
const MOST_HELD = 1.5 * 2 ** 30;
const pointers = new WeakMap();
let pointerCount = 0;

// A number for each memory, as torch's data_ptr.
function pointer(x) {
  const { data } = x.storage;
  if (!pointers.has(data.buffer)) {
    pointerCount += 1;
    pointers.set(data.buffer, pointerCount);
  }
  return (
    pointers.get(data.buffer) * 64 +
    ((x.offset * x.dtype.bytes) % 64) +
    1024 * Math.floor((x.offset * x.dtype.bytes) / 64)
  );
}

// A step whose gradient is Python's: back(grad) gives what `listed` has made.
function recorded(name, back, out, ...inputs) {
  const fitted = (slope, at) => {
    const { shape } = inputs[at];
    if (!slope || sameShape(slope.shape, shape)) return slope;
    const missing = slope.shape.length - shape.length;
    if (
      missing < 0 ||
      shape.some((size, dim) => size !== 1 && size !== slope.shape[dim + missing])
    ) {
      raise(
        "RuntimeError",
        `Function ${name} returned an invalid gradient at index ${at} - got ` +
          `${shapeText(slope.shape)} but expected shape compatible with ${shapeText(shape)}`,
      );
    }
    return sumTo(slope, shape);
  };
  return record(alias(out), name, inputs, (g) => back(g).map(fitted));
}

const own = {
  shape: (x) => x.shape.join(),
  strides: (x) => x.stride.join(),
  type: (x) => CODES.get(x.dtype),
  type_name: (x) => typeNames[x.dtype.name],
  requires: (x) => x.requires_grad,
  made_by: (x) => x.node?.name ?? "",
  pointer,
  recorded,
  listed: (...tensors) => tensors,
  // x is a tensor or a dtype's name
  fits(value, x) {
    checkHolds(Number(value), DTYPES[x] ?? x.dtype);
    return true;
  },
  promoted: (a, b) => promote(DTYPES[a], DTYPES[b]).name,
  result_name: (a, b) => resultType(a, b).name,
  broadcast_shapes: (...shapes) => broadcastShapes(...shapes.map(ints)).join(),
  gradients(outputs, inputs, retain, create, unused, ...tensors) {
    const given = tensors.splice(outputs + inputs);
    const wanted = tensors.splice(outputs);
    return grad(tensors, wanted, given, retain, create, unused);
  },
};

// An error that is not the engine's own is a fault, or a lack of stack or memory.
function asFailure(error) {
  if (error.kind) {
    return `${error.kind}\n${error.message}`;
  }
  if (error instanceof RangeError) {
    return /call stack/i.test(error.message)
      ? "RecursionError\nmaximum recursion depth exceeded"
      : "MemoryError\nthis takes more memory than the page has";
  }
  return `SystemError\n${error.name}: ${error.message}`;
}

/** Registers the engine as the module `_engine`. */
export function connect(micropython, ops) {
  const { FS, _module } = micropython;
  let failure = "";
  let held = 0;
  let bytes = new Uint8Array(0);
  let place = 0;

  // What Python may still hold: it throws nothing away before a text has ended.
  function count(result) {
    if (result instanceof Tensor && !result.storage.counted) {
      result.storage.counted = true;
      held += result.storage.data.byteLength;
      if (held > MOST_HELD) {
        const most = `${MOST_HELD / 2 ** 30} GiB`;
        raise("MemoryError", `The page has memory for tensors of ${most}, no more.`);
      }
    }
  }

  function guarded(call) {
    return (...args) => {
      try {
        const result = call(...args);
        if (Array.isArray(result)) {
          result.forEach(count);
        } else {
          count(result);
        }
        return result;
      } catch (error) {
        failure = asFailure(error);
        return null;
      }
    };
  }

  const passing = {
    number(x, address) {
      _module.setValue(address, values(x)[0], "double");
      return true;
    },
    send(x) {
      const found = values(x);
      bytes = new Uint8Array(found.buffer, found.byteOffset, found.byteLength);
      place = 0;
      return found.length;
    },
    receive(length) {
      bytes = new Uint8Array(8 * length);
      place = 0;
      return true;
    },
    made: (shape, dtype) => tensor_from(new Float64Array(bytes.buffer), shape, dtype),
  };
  const module = {};
  for (const [name, call] of Object.entries({ ...ops, ...own, ...passing })) {
    if (typeof call === "function") {
      module[name] = guarded(call);
    }
  }
  module.failure = () => failure;
  micropython.registerJsModule("_engine", module);

  // A device's read and write get Python's own memory: numbers pass in one copy.
  const device = FS.makedev(64, 0);
  FS.registerDevice(device, {
    read(_stream, buffer, offset, length) {
      const part = bytes.subarray(place, place + length);
      new Uint8Array(buffer.buffer).set(part, offset);
      place += part.length;
      return part.length;
    },
    write(_stream, buffer, offset, length) {
      bytes.set(new Uint8Array(buffer.buffer, offset, length), place);
      place += length;
      return length;
    },
  });
  FS.mkdev("/dev/engine", 0o666, device);

  // Python collects when it is called next, and only then: no call of it is at work.
  return function clear() {
    micropython.runPython("import gc\ngc.collect()");
    micropython.runPython("");
    held = 0;
  };
}

/** Puts Python files, {path: text}, where import finds them. */
export function load(micropython, files) {
  const { FS } = micropython;
  for (const [path, text] of Object.entries(files)) {
    const folders = path.split("/").slice(0, -1);
    folders.reduce((above, name) => {
      const folder = `${above}/${name}`;
      if (!FS.analyzePath(folder).exists) {
        FS.mkdir(folder);
      }
      return folder;
    }, "");
    FS.writeFile(`/${path}`, text);
  }
}
