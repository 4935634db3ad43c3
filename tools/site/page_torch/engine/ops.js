// All functions of the engine in one object, as the Python part calls them.

import * as convolution from "./convolution.js";
import * as create from "./create.js";
import * as elementwise from "./elementwise.js";
import * as functional from "./functional.js";
import * as index from "./index.js";
import * as linear from "./linear.js";
import * as random from "./random.js";
import * as recurrent from "./recurrent.js";
import * as reduce from "./reduce.js";
import * as tensor from "./tensor.js";
import { text } from "./text.js";

export const ops = {
  ...tensor,
  ...elementwise,
  ...reduce,
  ...linear,
  ...index,
  ...create,
  ...random,
  ...convolution,
  ...functional,
  ...recurrent,
  text,
};

// x.NAME_(...) for any function NAME that gives a result of x's shape.
ops.inplace = (name, x, ...args) => tensor.inplace(x, ops[name], ...args);

// x.NAME_(...) for a function NAME that gives a view: x itself is turned.
ops.becoming = (name, x, ...args) => tensor.become(x, (v) => ops[name](v, ...args));
