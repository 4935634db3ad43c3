// All functions of the engine in one object, as the Python part calls them.

import * as elementwise from "./elementwise.js";
import * as tensor from "./tensor.js";

export const ops = { ...tensor, ...elementwise };

// x.NAME_(...) for any function NAME that gives a result of x's shape.
ops.inplace = (name, x, ...args) => tensor.inplace(x, ops[name], ...args);
