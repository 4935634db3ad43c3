"""Linear algebra of small matrices: torch.linalg."""

import _engine
from torch._core import LinAlgError, _isinstance, function, ints_text, number, wrap
from torch._make import as_dtype
from torch._state import public, refuse
from torch._names import LINALG

_TABLE = """
input|det inv svdvals eigvalsh
input * upper=False:b|cholesky
a b|solve
a b rcond=None:- * driver=None:- -> linalg_lstsq solution residuals rank singular_values|lstsq
input mode=reduced:s -> linalg_qr Q R|qr
input full_matrices=True:b -> linalg_svd U S Vh|svd
input UPLO=L:- -> linalg_eigh eigenvalues eigenvectors|eigh
input rcond=None:- hermitian=False:-|pinv
input tol=None:- hermitian=False:-|matrix_rank
input n:i|matrix_power
input other * dim=-1:i|cross
input -> linalg_slogdet sign logabsdet|slogdet
input p=None:R|cond
"""
for _row in _TABLE.strip().split("\n"):
    _line, _, _names = _row.rpartition("|")
    for _name in _names.split():
        globals()[_name] = function(_name, _line, "linalg_" + _name, "torch.linalg.")


def _normed(name, first, order, dims):
    engine = getattr(_engine, "linalg_" + name)

    def call(
        A=None, ord=order, dim=dims, keepdim=False, *, dtype=None, out=None, x=None
    ):
        kind = as_dtype(dtype)
        given = (A if x is None else x)._t
        size = ord if ord is None or _isinstance(ord, str) else number(ord)
        dim = None if dim is None else ints_text(dim)
        return wrap(engine(given, size, dim, bool(keepdim), kind and kind.name))

    globals()[name] = public(name, "torch.linalg.", call)


_normed("norm", "A", None, None)
_normed("vector_norm", "x", 2, None)
_normed("matrix_norm", "A", "fro", (-2, -1))


def _vecdot(x, y, *, dim=-1, out=None):
    return (x * y).sum(dim)


def _multi_dot(tensors, *, out=None):
    return wrap(_engine.chain_matmul(*[x._t for x in tensors]))


def _matmul(input, other, *, out=None):
    return wrap(_engine.matmul(input._t, other._t))


def _diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    return wrap(_engine.diagonal(A._t, offset, dim1, dim2))


vecdot = public("vecdot", "torch.linalg.", _vecdot)
multi_dot = public("multi_dot", "torch.linalg.", _multi_dot)
matmul = public("matmul", "torch.linalg.", _matmul)
diagonal = public("diagonal", "torch.linalg.", _diagonal)


def __getattr__(name):
    if " " + name + " " in LINALG:
        refuse("torch.linalg." + name)
    raise AttributeError("module 'torch.linalg' has no attribute '" + name + "'")
