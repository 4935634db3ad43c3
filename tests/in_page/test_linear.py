"""The page's products, einsum and linear algebra against torch's."""

from typing import Any

import pytest
import torch
from calls import SETTINGS, compare
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

SIZES = {"n": 2, "k": 3, "m": 4, "b": 2, "i": 1}
# What is called, and the shapes of what it is given: letters are sizes.
PRODUCTS = {
    "x @ y": ("k|nk|bnk|ink|bbnk", "k|km|bkm|bikm|ikm"),
    "torch.mm(x, y.mT)": ("nk", "mk"),
    "torch.bmm(x, y)": ("bnk", "bkm"),
    "torch.outer(x, y), x.dot(x), torch.mv(y[:, None], x[:1])": ("n", "m"),
    "torch.inner(x, y)": ("k|nk|bnk", "k|mk"),
    "torch.addmm(x, y, y.mT, beta=0.5, alpha=2)": ("n|nn|in|", "nk"),
    "torch.baddbmm(x, y, y.mT)": ("n|bnn", "bnk"),
    "F.linear(x, y, y[:, 0])": ("k|nk|bnk", "mk"),
    "F.bilinear(x, x, y)": ("nk|bnk", "mkk"),
    "torch.tensordot(x, y, 1)": ("nk|bnk", "km|kmb"),
    "torch.tensordot(x, y, ([0, -1], [1, 0]))": ("bnk", "kbm"),
    "torch.kron(x, y)": ("n|nk", "m|mb"),
    "torch.linalg.cross(x, y)": ("nk|k", "nk|ik"),
    "torch.cdist(x, y), F.pairwise_distance(x[..., :1, :], y)": ("nk|bnk", "mk"),
}
EQUATIONS = (
    "nk,km->nm nk,km nk->kn nk-> nn->n nn nk,nk->n n,m->nm bnk,bkm->bnm nk,mk->nm "
    "...nk,...km->...nm ...n->... nk,km,mb->nb n,n-> nnk->nk nk,k->n n...->... "
    "b...k->k...b nk,kn mb nk->...nk nkm,km,b->nb n,n,n->n nbmb,bmk->nmk nk,m->km"
)
MATRICES = (
    "tril tril(-1) tril(1) triu triu(1) diagflat trace torch.linalg.inv "
    "torch.linalg.det torch.linalg.slogdet torch.linalg.pinv torch.linalg.svdvals "
    "torch.linalg.matrix_rank torch.matrix_power"
)


@st.composite
def tensors(draw: Any, shapes: str, dtypes: tuple[torch.dtype, ...]) -> Tensor:
    """A tensor of one of some shapes, now and then with a size that does not fit."""
    letters = draw(st.sampled_from(shapes.split("|")))
    shape = [SIZES[letter] for letter in letters]
    if shape and draw(st.integers(0, 12)) == 0:
        shape[draw(st.integers(0, len(shape) - 1))] += 1
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    x = torch.randn(shape, generator=generator, dtype=torch.float64) * 2
    x = x.to(draw(st.sampled_from(dtypes)))
    return x.requires_grad_(x.is_floating_point() and draw(st.integers(0, 3)) > 0)


@pytest.mark.parametrize("call", PRODUCTS)
@given(data=st.data())
@settings(SETTINGS, max_examples=5)
def test_products(page: Any, call: str, data: st.DataObject) -> None:
    """All dims and batches that go together, and those that do not."""
    types = data.draw(
        st.sampled_from(
            [(torch.float64,)] * 3 + [(torch.float32,), (torch.float64, torch.int64)]
        )
    )
    x, y = (data.draw(tensors(shapes, types)) for shapes in PRODUCTS[call])
    if "bilinear" in call or "dist" in call:
        x, y = x.detach().double(), y.detach().double()
    compare(page, call, twice="dist" not in call, x=x, y=y)


@pytest.mark.parametrize("equation", EQUATIONS.split())
@given(data=st.data())
@settings(SETTINGS, max_examples=3)
def test_einsum(page: Any, equation: str, data: st.DataObject) -> None:
    """Repeated, summed and left out letters, ellipses, several operands."""
    dots = data.draw(st.sampled_from(("", "b", "i", "bi")))
    kinds = data.draw(st.sampled_from(((torch.float64,), (torch.int64,))))
    terms = equation.split("->")[0].replace("...", dots).split(",")
    given = {f"x{i}": data.draw(tensors(term, kinds)) for i, term in enumerate(terms)}
    call = f"torch.einsum('{equation}', {', '.join(given)})"
    compare(page, call, twice=True, **given)


@pytest.mark.parametrize("name", MATRICES.split())
@given(data=st.data())
@settings(SETTINGS, max_examples=4)
def test_matrices(page: Any, name: str, data: st.DataObject) -> None:
    """Triangles, inverses, determinants, singular values."""
    square = "nn|bnn|kk" if "linalg" in name or "power" in name else "nk|kk"
    x = data.draw(tensors(square, (torch.float64,)))
    power = data.draw(st.integers(-2, 3)) or 1
    call = f"{name}(x)" if "linalg" in name else f"x.{name}"
    call = f"{name}(x, {power})" if "power" in name else call
    compare(page, call if call.endswith(")") else f"{call}()", x=x)


@given(data=st.data())
@settings(SETTINGS, max_examples=6)
def test_solving(page: Any, data: st.DataObject) -> None:
    """Equations, least squares, Cholesky, QR and what these give back."""
    x = data.draw(tensors("kk|bkk", (torch.float64,)))
    y = data.draw(tensors("k|kn", (torch.float64,)))
    compare(page, "torch.linalg.solve(x, y)", twice=True, x=x, y=y)
    z = data.draw(tensors("mk|km|bmk", (torch.float64,)))
    compare(page, "torch.linalg.lstsq(x, x.sum(-1, keepdim=True)).solution", x=z)
    compare(page, "torch.linalg.cholesky(x @ x.mT + torch.eye(x.shape[-1]))", x=z)
    compare(page, "torch.linalg.qr(x)", x=z.detach())
    back = "u, s, v = torch.linalg.svd(x, full_matrices=False)"
    compare(page, "u @ torch.diag_embed(s) @ v", before=back, x=z.detach())
    whole = "values, v = torch.linalg.eigh(x @ x.mT)"
    compare(page, "values, v @ values.diag_embed() @ v.mT", before=whole, x=z.detach())


@given(data=st.data())
@settings(SETTINGS, max_examples=10)
def test_diagonals(page: Any, data: st.DataObject) -> None:
    """Diagonals read and made."""
    x = data.draw(tensors("k|nk|bnk", (torch.float64, torch.int64)))
    offset = data.draw(st.integers(-2, 2))
    first, second = data.draw(st.sampled_from(((-2, -1), (0, 1), (1, 0), (0, -1))))
    compare(page, f"x.diag_embed({offset}, {first}, {second})", x=x)
    compare(page, f"x.diag({offset})", twice=True, x=x)


@pytest.mark.parametrize(
    "call",
    (
        "x @ x",
        "x @ x[0, :2]",
        "x[0] @ x",
        "x[0] @ x[0, :2]",
        "x[None] @ x[None]",
        "x[None] @ x",
        "x @ 3",
        "x @ x.long().mT",
        "x.bool() @ x.bool().mT",
        "x @ x.sum()",
        "x.mm(x[0])",
        "x.mv(x)",
        "x.dot(x)",
        "x.outer(x)",
        "x.bmm(x)",
        "F.linear(x, x.mT)",
        "F.linear(x, x, x[0])",
        "F.linear(x, x[None])",
        "torch.einsum('ij,jk', x, x)",
        "torch.einsum('ijk->i', x)",
        "torch.einsum('ij->ik', x)",
        "torch.einsum('ii->i', x)",
        "torch.einsum('ij,jk->ik', x)",
        "torch.einsum('ij->i', x, x)",
        "torch.einsum('i1->i', x)",
        "torch.einsum('ij->ii', x)",
        "torch.einsum('i..j->i', x)",
        "torch.linalg.inv(x)",
        "torch.linalg.solve(x, x)",
        "torch.linalg.det(x[0])",
        "torch.trace(x[0])",
        "torch.tril(x[0])",
        "torch.diag(x[None])",
        "torch.cdist(x, x.mT)",
        "torch.tensordot(x, x)",
        "torch.tensordot(x, x, 1)",
    ),
)
def test_errors(page: Any, call: str) -> None:
    """Errors have torch's type and text."""
    compare(page, call, x=torch.ones(2, 3))


def test_singular(page: Any) -> None:
    """A matrix without an inverse is told in torch's words."""
    for call in ("inv(x)", "solve(x, x)", "cholesky(x)"):
        with pytest.raises(torch.linalg.LinAlgError) as raised:
            eval(f"torch.linalg.{call}", {"torch": torch, "x": torch.zeros(2, 2)})
        page.run(f"import torch\ntorch.linalg.{call}", x=torch.zeros(2, 2))
        assert page.error.text == str(raised.value)


@pytest.mark.parametrize(
    "code",
    (
        "y = x @ w\nw.data.add_(1)\nresult = torch.autograd.grad(y.sum(), x)[0]",
        "y = x @ w\nwith torch.no_grad():\n    w.add_(1)\ny.sum().backward()",
        "y = x @ w.detach()\nwith torch.no_grad():\n    x.add_(1)\ny.sum().backward()",
        "y = x.softmax(0)\ny.sum().backward()\ny.sum().backward()",
        "y = x[[0, 1]]\ny.sum().backward()\ny.sum().backward()",
        "y = x.amax(0)\nwith torch.no_grad():\n    x.mul_(2)\ny.sum().backward()",
        "y = (x * 1).cumsum(0)\ny.add_(1)\ny.sum().backward()\nresult = x.grad",
        "y = (x * 1).softmax(0)\ny.add_(1)\ny.sum().backward()",
    ),
)
def test_changed_in_between(page: Any, code: str) -> None:
    """What the gradient needs and has been changed is told of, the rest is not."""
    given = {name: torch.eye(2).requires_grad_() for name in "xw"}
    names: dict[str, Any] = {"torch": torch, **given, "result": None}
    answer = page.run(f"import torch\n{code}", **given)
    try:
        exec(code, names)
    except RuntimeError as error:
        assert (page.error.type, page.error.text) == ("RuntimeError", str(error))
    else:
        assert page.error is None, page.error
        torch.testing.assert_close(answer, names["result"])
