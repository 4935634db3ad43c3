// Recurrent layers: all steps of a sequence in one operation, with its own gradient.
//
// recurrent(mode, layers, dropout, train, directions, batch_first, sizes, x, hx, cx,
//   bias, ...weights) -> [output, h_n] or [output, h_n, c_n]
//   mode: "RNN_TANH", "RNN_RELU", "GRU", "LSTM"; sizes: of a packed batch, else null;
//   cx: null but for LSTM; weights: those of each layer and direction one after the
//   other: w_ih, w_hh, b_ih and b_hh if bias, w_hr if there is a projection
// rnn_tanh_cell, rnn_relu_cell, gru_cell(x, hx, w_ih, w_hh, b_ih, b_hh)
// lstm_cell(x, hx, cx, w_ih, w_hh, b_ih, b_hh) -> [h, c]

import { add, mul, relu, sigmoid, sub, tanh } from "./elementwise.js";
import { cat, stack } from "./index.js";
import { linear, multiply } from "./linear.js";
import { dropout as dropped } from "./random.js";
import {
  chunk,
  grad as gradients,
  ints,
  is_grad_enabled,
  narrow,
  read,
  record,
  reshape,
  tensor_from,
  transpose,
  unbind,
  view,
} from "./tensor.js";

const GATES = { RNN_TANH: 1, RNN_RELU: 1, GRU: 3, LSTM: 4 };

// One step from the gates of the input; the layers' meaning in operations of the engine.
function step(mode, gates, { h, c }, [w, b, projection]) {
  const hidden = linear(h, w, b);
  if (mode === "GRU") {
    const [xr, xz, xn] = chunk(gates, 3, -1);
    const [hr, hz, hn] = chunk(hidden, 3, -1);
    const z = sigmoid(add(xz, hz));
    const n = tanh(add(xn, mul(sigmoid(add(xr, hr)), hn)));
    return { h: add(mul(sub(h, n), z), n), c };
  }
  const sum = add(gates, hidden);
  if (mode !== "LSTM") {
    return { h: mode === "RNN_TANH" ? tanh(sum) : relu(sum), c };
  }
  const [i, f, g, o] = chunk(sum, 4, -1);
  const next = add(mul(sigmoid(f), c), mul(sigmoid(i), tanh(g)));
  const out = mul(sigmoid(o), tanh(next));
  return { h: projection ? linear(out, projection, null) : out, c: next };
}

function cell(mode, x, h, c, wIh, wHh, bIh, bHh) {
  return step(mode, linear(x, wIh, bIh), { h, c }, [wHh, bHh, null]);
}

export const rnn_tanh_cell = (x, h, ...rest) => cell("RNN_TANH", x, h, null, ...rest).h;
export const rnn_relu_cell = (x, h, ...rest) => cell("RNN_RELU", x, h, null, ...rest).h;
export const gru_cell = (x, h, ...rest) => cell("GRU", x, h, null, ...rest).h;

export function lstm_cell(x, h, c, ...rest) {
  const next = cell("LSTM", x, h, c, ...rest);
  return [next.h, next.c];
}

// Where the rows of each step begin and how many they are, in the order of reading.
function stepsOf(sizes, reverse) {
  let start = 0;
  const steps = sizes.map((size) => {
    start += size;
    return { start: start - size, size };
  });
  return reverse ? steps.reverse() : steps;
}

// All steps in operations of the engine, as one flat tensor: outputs, h_n, c_n.
function slowly(mode, steps, gates, h0, c0, weights) {
  let [h, c] = [h0, c0];
  const rows = new Map();
  // Rows beyond a step's size keep their state.
  const kept = (next, last, size) =>
    size === last.shape[0]
      ? next
      : cat(0, next, narrow(last, 0, size, last.shape[0] - size));
  for (const { start, size } of steps) {
    const now = { h: narrow(h, 0, 0, size), c: c && narrow(c, 0, 0, size) };
    const next = step(mode, narrow(gates, 0, start, size), now, weights);
    rows.set(start, next.h);
    h = kept(next.h, h, size);
    c = c && kept(next.c, c, size);
  }
  const places = [...rows.keys()].sort((a, b) => a - b);
  const parts = [...places.map((place) => rows.get(place)), h, ...(c ? [c] : [])];
  return cat(0, ...parts.map((part) => reshape(part, [-1])));
}

function turned(a, rows, columns) {
  const out = new Float64Array(a.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      out[j * rows + i] = a[i * columns + j];
    }
  }
  return out;
}

const logistic = (x) => 1 / (1 + Math.exp(-x));

// The gates of one row, from the sums of input (x) and hidden (s) parts. `acts` keeps
// what the gradient needs: the gates themselves, and for GRU the hidden part of n.
const FORWARD = {
  RNN_TANH(x, s, acts, at, size, h) {
    for (let k = 0; k < size; k++) {
      h[k] = acts[at + k] = Math.tanh(x[k] + s[k]);
    }
  },
  RNN_RELU(x, s, acts, at, size, h) {
    for (let k = 0; k < size; k++) {
      h[k] = acts[at + k] = Math.max(x[k] + s[k], 0);
    }
  },
  GRU(x, s, acts, at, size, h) {
    for (let k = 0; k < size; k++) {
      const r = logistic(x[k] + s[k]);
      const z = logistic(x[size + k] + s[size + k]);
      const hidden = s[2 * size + k];
      const n = Math.tanh(x[2 * size + k] + r * hidden);
      acts[at + k] = r;
      acts[at + size + k] = z;
      acts[at + 2 * size + k] = n;
      acts[at + 3 * size + k] = hidden;
      h[k] = (h[k] - n) * z + n;
    }
  },
  LSTM(x, s, acts, at, size, h, c) {
    for (let k = 0; k < size; k++) {
      const i = logistic(x[k] + s[k]);
      const f = logistic(x[size + k] + s[size + k]);
      const g = Math.tanh(x[2 * size + k] + s[2 * size + k]);
      const o = logistic(x[3 * size + k] + s[3 * size + k]);
      acts[at + k] = i;
      acts[at + size + k] = f;
      acts[at + 2 * size + k] = g;
      acts[at + 3 * size + k] = o;
      c[k] = f * c[k] + i * g;
      h[k] = o * Math.tanh(c[k]);
    }
  },
};

// From the gradient of a row's h (and c) to those of its gates: dx of the input part,
// ds of the hidden part; dh and dc become what flows to the step before.
const BACKWARD = {
  RNN_TANH(dx, ds, acts, at, size, dh) {
    for (let k = 0; k < size; k++) {
      const h = acts[at + k];
      dx[k] = ds[k] = dh[k] * (1 - h * h);
      dh[k] = 0;
    }
  },
  RNN_RELU(dx, ds, acts, at, size, dh) {
    for (let k = 0; k < size; k++) {
      dx[k] = ds[k] = acts[at + k] > 0 ? dh[k] : 0;
      dh[k] = 0;
    }
  },
  GRU(dx, ds, acts, at, size, dh, _dc, before) {
    for (let k = 0; k < size; k++) {
      const r = acts[at + k];
      const z = acts[at + size + k];
      const n = acts[at + 2 * size + k];
      const hidden = acts[at + 3 * size + k];
      const dn = dh[k] * (1 - z) * (1 - n * n);
      dx[k] = ds[k] = dn * hidden * r * (1 - r);
      dx[size + k] = ds[size + k] = dh[k] * (before[k] - n) * z * (1 - z);
      dx[2 * size + k] = dn;
      ds[2 * size + k] = dn * r;
      dh[k] *= z;
    }
  },
  LSTM(dx, ds, acts, at, size, dh, dc, _before, cBefore, c) {
    for (let k = 0; k < size; k++) {
      const i = acts[at + k];
      const f = acts[at + size + k];
      const g = acts[at + 2 * size + k];
      const o = acts[at + 3 * size + k];
      const t = Math.tanh(c[k]);
      const d = dc[k] + dh[k] * o * (1 - t * t);
      dx[k] = ds[k] = d * g * i * (1 - i);
      dx[size + k] = ds[size + k] = d * cBefore[k] * f * (1 - f);
      dx[2 * size + k] = ds[2 * size + k] = d * i * (1 - g * g);
      dx[3 * size + k] = ds[3 * size + k] = dh[k] * t * o * (1 - o);
      dc[k] = d * f;
      dh[k] = 0;
    }
  },
};

// The same as slowly, in loops over plain numbers.
function quickly(mode, steps, gates, h0, c0, [w, b]) {
  const [batch, size] = h0.shape;
  const total = gates.shape[0];
  const wide = GATES[mode] * size;
  const held = mode === "GRU" ? 4 * size : wide;
  const [x, weight] = [read(gates), read(w)];
  const across = turned(weight, wide, size);
  const bias = b && read(b);
  const acts = new Float64Array(total * held);
  const before = new Float64Array(total * size);
  const cBefore = c0 && new Float64Array(total * size);
  const cAfter = c0 && new Float64Array(total * size);
  const h = Float64Array.from(read(h0));
  const c = c0 && Float64Array.from(read(c0));
  const out = new Float64Array((total + batch * (c0 ? 2 : 1)) * size);
  const sums = new Float64Array(batch * wide);
  const forward = FORWARD[mode];
  for (const { start, size: rows } of steps) {
    const first = start * size;
    before.set(h.subarray(0, rows * size), first);
    cBefore?.set(c.subarray(0, rows * size), first);
    sums.fill(0);
    multiply(h, 0, across, 0, sums, 0, rows, size, wide);
    for (let i = 0; i < rows; i++) {
      const row = sums.subarray(i * wide, (i + 1) * wide);
      for (let j = 0; bias && j < wide; j++) {
        row[j] += bias[j];
      }
      const input = x.subarray((start + i) * wide, (start + i + 1) * wide);
      const state = [h, c].map((s) => s?.subarray(i * size, (i + 1) * size));
      forward(input, row, acts, (start + i) * held, size, ...state);
    }
    out.set(h.subarray(0, rows * size), first);
    cAfter?.set(c.subarray(0, rows * size), first);
  }
  out.set(h, total * size);
  if (c) {
    out.set(c, (total + batch) * size);
  }
  const backward = (grad) => {
    const dout = read(grad);
    const dgates = new Float64Array(total * wide);
    const dweight = new Float64Array(wide * size);
    const ds = new Float64Array(total * wide);
    const dbias = new Float64Array(wide);
    const dh = dout.slice(total * size, (total + batch) * size);
    const dc = c0 ? dout.slice((total + batch) * size) : null;
    const back = BACKWARD[mode];
    for (const { start, size: rows } of [...steps].reverse()) {
      for (let k = 0; k < rows * size; k++) {
        dh[k] += dout[start * size + k];
      }
      for (let i = 0; i < rows; i++) {
        const at = start + i;
        const part = (array) => array?.subarray(i * size, (i + 1) * size);
        const saved = (array) => array?.subarray(at * size, (at + 1) * size);
        const dx = dgates.subarray(at * wide, (at + 1) * wide);
        const dsRow = ds.subarray(at * wide, (at + 1) * wide);
        const states = [before, cBefore, cAfter].map(saved);
        back(dx, dsRow, acts, at * held, size, part(dh), part(dc), ...states);
        for (let j = 0; j < wide; j++) {
          dbias[j] += dsRow[j];
        }
      }
      multiply(ds, start * wide, weight, 0, dh, 0, rows, wide, size);
    }
    multiply(turned(ds, total, wide), 0, before, 0, dweight, 0, wide, total, size);
    const made = (values, t) => t && tensor_from(values, t.shape, t.dtype);
    return [
      made(dgates, gates),
      made(dh, h0),
      made(dc, c0),
      made(dweight, w),
      made(dbias, b),
    ];
  };
  return [tensor_from(out, [out.length], gates.dtype), backward];
}

function scan(mode, steps, gates, h0, c0, weights) {
  const [w, b, projection] = weights;
  if (projection || gates.dtype.bytes < 4) {
    return slowly(mode, steps, gates, h0, c0, weights);
  }
  const [out, backward] = quickly(mode, steps, gates, h0, c0, weights);
  const inputs = [gates, h0, c0, w, b];
  const saved = inputs.filter((t) => t !== null);
  // A gradient of the gradient goes through the engine's own operations.
  const twice = (grad) => {
    const again = slowly(mode, steps, gates, h0, c0, weights);
    const wanted = saved.filter((t) => t.requires_grad);
    const found = gradients([again], wanted, [grad], true, true, true);
    return inputs.map((t) => found[wanted.indexOf(t)] ?? null);
  };
  const either = (grad) => (is_grad_enabled() ? twice(grad) : backward(grad));
  return record(out, `${mode}Backward`, inputs, either, saved);
}

// One layer in one direction: the rows of all steps, then the last states.
function direction(mode, steps, x, h0, c0, [wIh, wHh, bIh, bHh, projection]) {
  const gates = linear(x, wIh, bIh);
  const flat = scan(mode, steps, gates, h0, c0, [wHh, bHh, projection]);
  const [total, batch] = [x.shape[0], h0.shape[0]];
  const [size, cells] = [h0.shape[1], c0 ? c0.shape[1] : 0];
  const part = (start, rows, width) =>
    view(narrow(flat, 0, start, rows * width), [rows, width]);
  return [
    part(0, total, size),
    part(total * size, batch, size),
    c0 && part((total + batch) * size, batch, cells),
  ];
}

export function recurrent(
  mode,
  layers,
  dropout,
  train,
  directions,
  batchFirst,
  packed,
  input,
  hx,
  cx,
  bias,
  ...weights
) {
  const x = batchFirst ? transpose(input, 0, 1) : input;
  const times = packed === null ? x.shape[0] : 0;
  const batch = hx.shape[1];
  const sizes = packed === null ? new Array(times).fill(batch) : ints(packed);
  let rows = packed === null ? reshape(x, [times * batch, x.shape[2]]) : x;
  const [hs, cs] = [unbind(hx, 0), cx ? unbind(cx, 0) : null];
  const each = weights.length / (layers * directions);
  const states = [[], []];
  for (let layer = 0; layer < layers; layer++) {
    const outputs = [];
    for (let way = 0; way < directions; way++) {
      const place = layer * directions + way;
      const own = weights.slice(place * each, (place + 1) * each);
      const [wIh, wHh, ...rest] = own;
      const [bIh, bHh] = bias ? rest : [null, null];
      const projection = rest[bias ? 2 : 0] ?? null;
      const steps = stepsOf(sizes, way === 1);
      const [out, h, c] = direction(mode, steps, rows, hs[place], cs?.[place] ?? null, [
        wIh,
        wHh,
        bIh,
        bHh,
        projection,
      ]);
      outputs.push(out);
      states[0].push(h);
      states[1].push(c);
    }
    rows = outputs.length === 1 ? outputs[0] : cat(-1, ...outputs);
    if (dropout > 0 && layer < layers - 1) {
      rows = dropped(rows, dropout, train);
    }
  }
  if (packed === null) {
    rows = view(rows, [times, batch, rows.shape[1]]);
    rows = batchFirst ? transpose(rows, 0, 1) : rows;
  }
  const last = [stack(0, ...states[0])];
  return [rows, ...last, ...(cx ? [stack(0, ...states[1])] : [])];
}
