"""RNN, GRU and LSTM, as layers over sequences and as cells of one step."""

import math

import _engine

import torch
from torch._core import function, ints_text, wrap_all
from torch.nn import init
from torch.nn.layers import _made
from torch.nn.module import Module
from torch.nn.utils.rnn import PackedSequence

_GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}


def _uniform(module):
    bound = 1.0 / math.sqrt(module.hidden_size) if module.hidden_size > 0 else 0
    for weight in module.parameters():
        init.uniform_(weight, -bound, bound)


def _kind(value, kind, name):
    if not isinstance(value, kind):
        found = type(value).__name__
        raise TypeError(f"{name} should be of type {kind.__name__}, got: {found}")


class RNNBase(Module):
    def __init__(
        self,
        mode,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the "
                "probability of an element being zeroed"
            )
        _kind(bias, bool, "bias")
        _kind(batch_first, bool, "batch_first")
        _kind(input_size, int, "input_size")
        if input_size <= 0:
            raise ValueError("input_size must be greater than zero")
        _kind(hidden_size, int, "hidden_size")
        if hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        kwargs = {"device": device, "dtype": dtype}
        wide = _GATES[mode] * hidden_size
        out = proj_size or hidden_size
        self._all_weights = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: self._ways()]:
                into = input_size if layer == 0 else out * self._ways()
                end = f"_l{layer}{suffix}"
                shapes = [("weight_ih", (wide, into)), ("weight_hh", (wide, out))]
                if bias:
                    shapes += [("bias_ih", (wide,)), ("bias_hh", (wide,))]
                if proj_size:
                    shapes.append(("weight_hr", (proj_size, hidden_size)))
                for name, shape in shapes:
                    _made(self, name + end, shape, True, kwargs)
                self._all_weights.append([name + end for name, _ in shapes])
        self.reset_parameters()

    def _ways(self):
        return 2 if self.bidirectional else 1

    def reset_parameters(self):
        _uniform(self)

    def flatten_parameters(self):
        """Nothing to do: the weights lie as they are."""

    @property
    def all_weights(self):
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        for name, usual in (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        ):
            value = getattr(self, name)
            if value != usual:
                text += f", {name}={value}"
        return text

    def _check_input(self, input, packed):
        weight = getattr(self, self._all_weights[0][0])
        if input.dtype != weight.dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype "
                f"({weight.dtype}). Convert input: input.to({weight.dtype}), or "
                f"convert model: model.to({input.dtype})"
            )
        dims = 2 if packed else 3
        if input.dim() != dims:
            raise RuntimeError(f"input must have {dims} dimensions, got {input.dim()}")
        if self.input_size != input.size(-1):
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {input.size(-1)}"
            )

    def _states(self, given):
        """The first states as given, in a tuple."""
        return (given,)

    def _check_dims(self, states, wanted):
        for state in states:
            if state.dim() != wanted:
                word = "batched" if wanted == 3 else "unbatched"
                raise RuntimeError(
                    f"For {word} {wanted}-D input, hx should also be {wanted}-D but "
                    f"got {state.dim()}-D tensor"
                )

    def forward(self, input, hx=None):
        packed = isinstance(input, PackedSequence)
        states = None if hx is None else self._states(hx)
        sizes, order, back, single = None, None, None, False
        if packed:
            x, sizes, order, back = input
            batch = int(sizes[0])
        else:
            x = input
            if x.dim() not in (2, 3):
                tail = " tensor" if self.mode[:3] == "RNN" else ""
                raise ValueError(
                    f"{self.mode[:4].rstrip('_')}: Expected input to be 2D or 3D, "
                    f"got {x.dim()}D{tail} instead"
                )
            single = x.dim() == 2
            if states is not None:
                self._check_dims(states, 2 if single else 3)
            if single:
                x = x.unsqueeze(0 if self.batch_first else 1)
                states = states and tuple([state.unsqueeze(1) for state in states])
            batch = x.size(0 if self.batch_first else 1)
        hidden = self.proj_size or self.hidden_size
        count = self.num_layers * self._ways()
        shapes = [(count, batch, hidden), (count, batch, self.hidden_size)]
        shapes = shapes[: 2 if self.mode == "LSTM" else 1]
        if states is None:
            states = [torch.zeros(*shape, dtype=x.dtype) for shape in shapes]
        elif order is not None:
            states = [state.index_select(1, order) for state in states]
        self._check_input(x, packed)
        for i, (state, shape) in enumerate(zip(states, shapes)):
            if tuple(state.shape) != shape:
                name = f"hidden[{i}]" if len(shapes) > 1 else "hidden"
                raise RuntimeError(
                    f"Expected {name} size {shape}, got {list(state.shape)}"
                )
        found = self._run(x, states, sizes)
        output, states = found[0], found[1:]
        if packed:
            output = PackedSequence(output, sizes, order, back)
            if back is not None:
                states = [state.index_select(1, back) for state in states]
        if single:
            output = output.squeeze(0 if self.batch_first else 1)
            states = [state.squeeze(1) for state in states]
        return output, (tuple(states) if self.mode == "LSTM" else states[0])

    def _run(self, x, states, sizes):
        weights = [weight._t for row in self.all_weights for weight in row]
        return wrap_all(
            _engine.recurrent(
                self.mode,
                self.num_layers,
                self.dropout,
                self.training,
                self._ways(),
                self.batch_first and sizes is None,
                None if sizes is None else ints_text(sizes.tolist()),
                x._t,
                states[0]._t,
                states[1]._t if len(states) > 1 else None,
                self.bias,
                *weights,
            ),
            list,
        )


def _no_projection(kwargs):
    if "proj_size" in kwargs:
        raise ValueError(
            "proj_size argument is only supported for LSTM, not RNN or GRU"
        )


class RNN(RNNBase):
    def __init__(self, *args, **kwargs):
        _no_projection(kwargs)
        if len(args) > 3:
            nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__("RNN_" + nonlinearity.upper(), *args, **kwargs)
        self.nonlinearity = nonlinearity


class GRU(RNNBase):
    def __init__(self, *args, **kwargs):
        _no_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)


class LSTM(RNNBase):
    def __init__(self, *args, **kwargs):
        super().__init__("LSTM", *args, **kwargs)

    def _states(self, given):
        return tuple(given)

    def _check_dims(self, states, wanted):
        h, c = states
        if h.dim() != wanted or c.dim() != wanted:
            word = "batched" if wanted == 3 else "unbatched"
            raise RuntimeError(
                f"For {word} {wanted}-D input, hx and cx should also be {wanted}-D but "
                f"got ({h.dim()}-D, {c.dim()}-D) tensors"
            )


# Cells -----------------------------------------------------------------------------

_parameters = "input hx w_ih w_hh b_ih=None:t b_hh=None:t"
rnn_tanh_cell = function("rnn_tanh_cell", _parameters)
rnn_relu_cell = function("rnn_relu_cell", _parameters)
gru_cell = function("gru_cell", _parameters)
_lstm_cell = function("lstm_cell", "input hx cx w_ih w_hh b_ih=None:t b_hh=None:t -> *")


def lstm_cell(input, hx, *weights):
    return _lstm_cell(input, hx[0], hx[1], *weights)


class RNNCellBase(Module):
    def __init__(
        self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None
    ):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        wide = num_chunks * hidden_size
        kwargs = {"device": device, "dtype": dtype}
        _made(self, "weight_ih", (wide, input_size), True, kwargs)
        _made(self, "weight_hh", (wide, hidden_size), True, kwargs)
        _made(self, "bias_ih", (wide,), bias, kwargs)
        _made(self, "bias_hh", (wide,), bias, kwargs)
        self.reset_parameters()

    def reset_parameters(self):
        _uniform(self)

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text

    def forward(self, input, hx=None):
        name = type(self).__name__
        pair = isinstance(self, LSTMCell)
        states = None if hx is None else tuple(hx) if pair else (hx,)
        if input.dim() not in (1, 2):
            raise ValueError(
                f"{name}: Expected input to be 1D or 2D, got {input.dim()}D instead"
            )
        for i, state in enumerate(states or ()):
            if state.dim() not in (1, 2):
                word = f"hx[{i}]" if pair else "hidden"
                raise ValueError(
                    f"{name}: Expected {word} to be 1D or 2D, got {state.dim()}D "
                    "instead"
                )
        single = input.dim() == 1
        if single:
            input = input.unsqueeze(0)
            states = states and [state.unsqueeze(0) for state in states]
        if states is None:
            zeros = torch.zeros(input.size(0), self.hidden_size, dtype=input.dtype)
            states = [zeros, zeros]
        for state in states[: 2 if pair else 1]:
            self._check(input, state)
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        found = self._step(input, states, weights)
        if not single:
            return found
        return tuple([s.squeeze(0) for s in found]) if pair else found.squeeze(0)

    def _check(self, input, state):
        if input.size(1) != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {input.size(1)} expected "
                f"{self.input_size}"
            )
        if input.size(0) != state.size(0):
            raise RuntimeError(
                f"Input batch size {input.size(0)} doesn't match hidden0 batch size "
                f"{state.size(0)}"
            )
        if state.size(1) != self.hidden_size:
            raise RuntimeError(
                f"hidden0 has inconsistent hidden_size: got {state.size(1)}, expected "
                f"{self.hidden_size}"
            )


class RNNCell(RNNCellBase):
    def __init__(
        self,
        input_size,
        hidden_size,
        bias=True,
        nonlinearity="tanh",
        device=None,
        dtype=None,
    ):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def _step(self, input, states, weights):
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        step = rnn_tanh_cell if self.nonlinearity == "tanh" else rnn_relu_cell
        return step(input, states[0], *weights)


class LSTMCell(RNNCellBase):
    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def _step(self, input, states, weights):
        return lstm_cell(input, states, *weights)


class GRUCell(RNNCellBase):
    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def _step(self, input, states, weights):
        return gru_cell(input, states[0], *weights)
