// Element-wise functions.
import { record } from "./tensor.js";
