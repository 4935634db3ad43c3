"""An LSTM's step backward by hand: seven gradients without autograd."""

from typing import Any

import torch
from torch import Tensor

from layers_book.coursework import Mistake, Question, custom_run, distinct, signed


def case(generator: torch.Generator) -> dict[str, Any]:
    """No two axes of one size; the last one comes with strides of its own."""
    n, h_in, hidden = distinct(generator, 3, low=2)
    shapes = (n, hidden), (n, hidden), (n, h_in), (n, hidden), (n, hidden)
    shapes += (4 * hidden, h_in), (4 * hidden, hidden), (4 * hidden,), (4 * hidden,)
    args = [signed(generator, *shape) / 2 for shape in shapes]
    index = generator.initial_seed()
    if index == 2:
        args[4] *= 4  # a large carry
    if index == 3:
        args[:5] = [arg.mT.contiguous().mT for arg in args[:5]]
    if index == 4:
        args[1] *= 0  # only the state goes on to a loss
    return {"args": args}


def drive(answer, args):
    class NoAutograd(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            value = func(*args, **(kwargs or {}))
            if isinstance(value, torch.Tensor) and (
                value.requires_grad or torch._C._functorch.is_gradtrackingtensor(value)
            ):
                raise Refused("Autograd is out of use here.")  # noqa: F821
            return value

    yield "configuration", f"x {tuple(args[2].shape)}, h {tuple(args[3].shape)}"
    given = [t.clone() for t in args]
    with torch.inference_mode(), NoAutograd():
        value = call(answer, *given)  # noqa: F821
    names = "x", "h", "c", "weight_ih", "weight_hh", "bias_ih", "bias_hh"
    for name, gradient in zip(names, value, strict=True):
        yield f"the gradient with respect to {name}", gradient.clone()
    yield "the gradient with respect to x: arguments after the call", given


def reference(variant: dict[str, Any]) -> Any:
    """Autograd through torch's own cell."""

    def lstm_step_backward(
        grad_h: Tensor, grad_c: Tensor, x: Tensor, h: Tensor, c: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        with torch.inference_mode(False), torch._C.DisableTorchFunction():
            leaves = [t.clone().requires_grad_() for t in (x, h, c, *rest)]
            x, h, c, *rest = leaves
            new = torch._VF.lstm_cell(x, (h, c), *rest)
            upstream = grad_h.clone(), grad_c.clone()
            return torch.autograd.grad(new, leaves, upstream)

    return lstm_step_backward


X, H, C, WEIGHTS, BIASES = (
    f"the gradient with respect to {name}" for name in ("x", "h", "c", "weight", "bias")
)
D_C = "d_c = grad_c + grad_h * o * (1 - carry**2)"
QUESTION = Question(
    name="lstm_step_backward",
    title="A step of the LSTM, backward",
    answer="lstm_step_backward",
    reference=reference,
    run=custom_run(drive, case, configurations=5),
    parts={X: 1.5, H: 1, C: 1.5, WEIGHTS: 2, BIASES: 1},
    forbid=("lstm",),
    mistakes=(
        Mistake(
            name="grad_c left out",
            hint="The new carry also reaches the loss on its own, through later steps.",
            edits=((D_C, "d_c = grad_h * o * (1 - carry**2)"),),
            loses=(X, C),
        ),
        Mistake(
            name="grad_h does not reach the carry",
            hint="The new state is made of the new carry.",
            edits=((D_C, "d_c = grad_c"),),
            loses=(X, C),
        ),
        Mistake(
            name="tanh of the carry not differentiated",
            hint="The state holds the tanh of the new carry: its derivative is "
            "missing.",
            edits=((D_C, "d_c = grad_c + grad_h * o"),),
            loses=(X, C),
        ),
        Mistake(
            name="output gate left out on the way to the carry",
            hint="The tanh of the carry is multiplied by the output gate.",
            edits=((D_C, "d_c = grad_c + grad_h * (1 - carry**2)"),),
            loses=(X, C),
        ),
        Mistake(
            name="the carry itself in place of its tanh",
            hint="The output gate is multiplied by the tanh of the new carry.",
            edits=(("carry = (f * c + i * g).tanh()", "carry = f * c + i * g"),),
            loses=(X,),
        ),
        Mistake(
            name="candidate with a sigmoid's slope",
            hint="The candidate is a tanh: its slope is 1 - g².",
            edits=(("d_c * i * (1 - g**2)", "d_c * i * g * (1 - g)"),),
            loses=(X, WEIGHTS),
        ),
        Mistake(
            name="gates with a tanh's slope",
            hint="A gate is a sigmoid: its slope is s (1 - s).",
            edits=(("i * (1 - i)", "(1 - i**2)"), ("f * (1 - f)", "(1 - f**2)")),
            loses=(X, WEIGHTS),
        ),
        Mistake(
            name="forget gate sees the new carry",
            hint="The forget gate multiplies the old carry.",
            edits=(("d_c * c * f", "d_c * (f * c + i * g) * f"),),
            loses=(X, WEIGHTS),
        ),
        Mistake(
            name="output gate from d_c",
            hint="The output gate has no part in the carry, only in the state.",
            edits=(("grad_h * carry * o", "d_c * carry * o"),),
            loses=(X, WEIGHTS),
        ),
        Mistake(
            name="input gate's factor exchanged",
            hint="The slope of a product with respect to one factor is the other "
            "factor.",
            edits=(("d_c * g * i * (1 - i)", "d_c * i * (1 - i)"),),
            loses=(X, WEIGHTS),
        ),
        Mistake(
            name="blocks in another order",
            hint="torch stacks input gate, forget gate, candidate, output gate.",
            edits=(("[d_i, d_f, d_g, d_o]", "[d_i, d_f, d_o, d_g]"),),
            loses=(X, WEIGHTS, BIASES),
        ),
        Mistake(
            name="other order throughout",
            hint="torch stacks input gate, forget gate, candidate, output gate.",
            edits=(
                ("[d_i, d_f, d_g, d_o]", "[d_i, d_f, d_o, d_g]"),
                ("a_i, a_f, a_g, a_o =", "a_i, a_f, a_o, a_g ="),
            ),
            loses=(X, C),
        ),
        Mistake(
            name="one bias only in the step",
            hint="Both biases are added before the gates open.",
            edits=((" + b_hh", ""),),
            loses=(X, C),
        ),
        Mistake(
            name="carry's gradient not through the forget gate",
            hint="The old carry comes in multiplied by the forget gate.",
            edits=(("d_c * f, d_a.T", "d_c, d_a.T"),),
            loses=(C,),
        ),
        Mistake(
            name="mean over the batch",
            hint="All samples add to the gradient of a parameter: sum.",
            edits=(("d_a.sum(0)", "d_a.mean(0)"),),
            loses=(BIASES,),
        ),
        Mistake(
            name="the biases share the gradient",
            hint="Each of the two vectors gets the whole gradient.",
            edits=(("bias = d_a.sum(0)", "bias = d_a.sum(0) / 2"),),
            loses=(BIASES,),
        ),
        Mistake(
            name="recurrent weights from the new state",
            hint="W_hh multiplies the state that came into the step.",
            edits=(("d_a.T @ h", "d_a.T @ (o * carry)"),),
            loses=(WEIGHTS,),
        ),
    ),
)
