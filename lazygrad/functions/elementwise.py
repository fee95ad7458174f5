"""Functions of elements, as PyTorch has them beside the methods."""

from lazygrad.functions.made import function
from lazygrad.tensor import Tensor

__all__ = [
    "abs",
    "add",
    "bitwise_not",
    "ceil",
    "clamp",
    "clip",
    "cos",
    "div",
    "eq",
    "erf",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "floor_divide",
    "fmod",
    "frac",
    "ge",
    "gt",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "lerp",
    "log",
    "log1p",
    "log2",
    "log10",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "maximum",
    "minimum",
    "mul",
    "ne",
    "neg",
    "pow",
    "reciprocal",
    "relu",
    "remainder",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "square",
    "sub",
    "tan",
    "tanh",
    "trunc",
]

abs = function(Tensor.abs)
add = function(Tensor.add)
bitwise_not = function(Tensor.bitwise_not)
ceil = function(Tensor.ceil)
clamp = function(Tensor.clamp)
clip = function(Tensor.clip)
cos = function(Tensor.cos)
div = function(Tensor.div)
eq = function(Tensor.eq)
erf = function(Tensor.erf)
exp = function(Tensor.exp)
exp2 = function(Tensor.exp2)
expm1 = function(Tensor.expm1)
floor = function(Tensor.floor)
floor_divide = function(Tensor.floor_divide)
fmod = function(Tensor.fmod)
frac = function(Tensor.frac)
ge = function(Tensor.ge)
gt = function(Tensor.gt)
isfinite = function(Tensor.isfinite)
isinf = function(Tensor.isinf)
isnan = function(Tensor.isnan)
le = function(Tensor.le)
lerp = function(Tensor.lerp)
log = function(Tensor.log)
log10 = function(Tensor.log10)
log1p = function(Tensor.log1p)
log2 = function(Tensor.log2)
logical_and = function(Tensor.logical_and)
logical_not = function(Tensor.logical_not)
logical_or = function(Tensor.logical_or)
logical_xor = function(Tensor.logical_xor)
lt = function(Tensor.lt)
maximum = function(Tensor.maximum)
minimum = function(Tensor.minimum)
mul = function(Tensor.mul)
ne = function(Tensor.ne)
neg = function(Tensor.neg)
pow = function(Tensor.pow)
reciprocal = function(Tensor.reciprocal)
relu = function(Tensor.relu)
remainder = function(Tensor.remainder)
round = function(Tensor.round)
rsqrt = function(Tensor.rsqrt)
sigmoid = function(Tensor.sigmoid)
sign = function(Tensor.sign)
sin = function(Tensor.sin)
sqrt = function(Tensor.sqrt)
square = function(Tensor.square)
sub = function(Tensor.sub)
tan = function(Tensor.tan)
tanh = function(Tensor.tanh)
trunc = function(Tensor.trunc)
