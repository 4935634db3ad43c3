"""The table of functions; see `torch._core` for how a line is read.

Each line: where it is (f function of torch, m method, i method that ends in ``_``), its
parameters and result, and its names; ``name=op`` where the engine has another name.
"""

TABLE = """
fmi|input|abs absolute=abs neg negative=neg exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square reciprocal sin cos tan asin acos atan arcsin=asin arccos=acos arctan=atan sinh cosh tanh asinh acosh atanh arcsinh=asinh arccosh=acosh arctanh=atanh sigmoid relu floor ceil trunc fix=trunc frac sign sgn=sign erf erfc erfinv lgamma digamma logical_not bitwise_not rad2deg deg2rad sinc i0
fm|input|signbit isnan isinf isfinite isposinf isneginf isreal positive angle
f|input|selu logsigmoid
fm|input other:S|gcd lcm
fmi|input other:S * alpha=1:N|add sub subtract=sub
fmi|input other:S * rounding_mode=None:s|div divide=div true_divide=div
fmi|input other:S|mul multiply=mul floor_divide remainder fmod eq ne not_equal=ne lt less=lt le less_equal=le gt greater=gt ge greater_equal=ge logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift
fmi|input:S exponent:S|pow
fm|input:S exponent:S|float_power
fm|input other:S|maximum minimum fmax fmin
fmi|input other:S|atan2 arctan2=atan2 hypot copysign nextafter heaviside
f|input:S other:S|logaddexp logaddexp2 rsub xlogy
m|input other:S|logaddexp logaddexp2
mi|input other:S|xlogy
fmi|input min=None:M max=None:M|clamp clip=clamp
fmi|input min:S|clamp_min
fmi|input max:S|clamp_max
fmi|input nan=0.0:N posinf=None:N neginf=None:N|nan_to_num
fmi|input end weight:S|lerp
fmi|input tensor1 tensor2 * value=1:N|addcmul addcdiv
fmi|input * decimals=0:i|round
fmi|input eps=None:N|logit
fmi|input p:i|mvlgamma polygamma
fm|input dim=None:Z keepdim=False:b * dtype=None:D|sum nansum mean nanmean
fm|input dim=None:i keepdim=False:b * dtype=None:D|prod
fm|input dim=None:Z keepdim=False:b|amax amin
fm|input dim=None:Z keepdim=False:b|any all
fm|input * dim=None:i keepdim=False:b -> aminmax min max|aminmax
fm|input dim=None:i keepdim=False:b|argmax argmin
fm|input dim:Z keepdim=False:b|logsumexp
fm|input dim:i dtype=None:D|softmax log_softmax
fmi|input dim:i * dtype=None:D|cumsum cumprod
fm|input dim:i|logcumsumexp
fm|input dim:i -> cummax values indices|cummax
fm|input dim:i -> cummin values indices|cummin
fm|input dim=-1:i keepdim=False:b -> mode values indices|mode
fm|input k:i dim=-1:i keepdim=False:b -> kthvalue values indices|kthvalue
fm|input k:i dim=-1:i largest=True:b sorted=True:b -> topk values indices|topk
fm|input q:R dim=None:i keepdim=False:b * interpolation=linear:s|quantile nanquantile
fm|input dim=None:Z|count_nonzero
fm|input|msort corrcoef
fm|input * correction=1:i fweights=None:- aweights=None:-|cov
fm|input weights=None:t minlength=0:i|bincount
fm|input bins=100:i min=0:N max=0:N|histc
fm|input n=1:i dim=-1:i prepend=None:t append=None:t|diff
fmi|input mat1 mat2 * beta=1:N alpha=1:N|addmm
fmi|input mat vec * beta=1:N alpha=1:N|addmv
fmi|input batch1 batch2 * beta=1:N alpha=1:N|baddbmm addbmm
fmi|input vec1 vec2 * beta=1:N alpha=1:N|addr
fm|input other|matmul inner
fm|input mat2|mm bmm
fm|input vec|mv
fm|input tensor|dot vdot=dot
fm|input vec2|outer ger=outer
fm|input other|kron
fm|input|trace det logdet inverse
fm|input -> slogdet sign logabsdet|slogdet=linalg_slogdet
fm|input n:i|matrix_power
fm|input rcond=None:-|pinverse=linalg_pinv
fmi|input diagonal=0:i|tril triu
fm|input diagonal=0:i|diag
fm|input offset=0:i|diagflat
fm|input offset=0:i dim1=-2:i dim2=-1:i|diag_embed
fm|input other dim=None:i|cross
f|x1 x2 p=2.0:f -:-|cdist
fm|input upper=False:b|cholesky=linalg_cholesky
fm|input offset=0:i dim1=0:i dim2=1:i|diagonal
m|input shape:z|reshape
f|input shape:Z|reshape
m|input other|view_as reshape_as expand_as
fm|input start_dim=0:i end_dim=-1:i|flatten
fm|input dim:i sizes:Z|unflatten
m|input dims:z|permute
f|input dims:Z|permute
fm|input dim0:i dim1:i|transpose swapdims=transpose
fm|input axis0:i axis1:i|swapaxes=transpose
fm|input|t
fm|input source:Z destination:Z|movedim moveaxis=movedim
m|input size:z|expand
f|input size:Z|broadcast_to
m|input size:z|broadcast_to
fm|input dim=None:Z|squeeze
fm|input dim:i|unsqueeze
fm|input dim:i index:i|select
fm|input dim:i start:i length:i|narrow
m|input dimension:i size:i step:i|unfold=unfold_dim
fm|input size:Z stride:Z storage_offset=None:i|as_strided
fm|input chunks:i dim=0:i -> *|chunk
fm|input dim=0:i -> *|unbind
m|input|alias
f|tensors:L dim=0:i|stack
f|tensors:L|hstack vstack row_stack=vstack dstack column_stack
fmi|input dim:i index src|scatter_add
fm|input dim:i index|gather
fm|input dim:i index|index_select
fm|input mask|masked_select
fmi|input mask value:S|masked_fill
fmi|input mask source|masked_scatter
fm|input index|take
fmi|input dim:i index value:S|index_fill
fmi|input dim:i index source * alpha=1:N|index_add
fmi|input dim:i index source|index_copy
fm|input indices dim=None:i|take_along_dim
fm|input|argwhere fliplr flipud
m|input dims:z|flip
f|input dims:Z|flip
fm|input k=1:i dims=None:Z|rot90
fm|input shifts:Z dims=None:Z|roll
m|input repeats:z|repeat
m|input dims:z|tile
f|input dims:Z|tile
"""
