"""Functions of elements, as PyTorch has them beside the methods."""

from lazygrad.functions.made import either, function
from lazygrad.ops.closeness import isin as isin
from lazygrad.ops.fused import real as real
from lazygrad.ops.gamma import polygamma as polygamma
from lazygrad.tensor import Tensor

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "addcdiv",
    "addcmul",
    "allclose",
    "angle",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "ceil",
    "celu",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "conj",
    "copysign",
    "cos",
    "cosh",
    "deg2rad",
    "digamma",
    "div",
    "divide",
    "eq",
    "equal",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "fill",
    "fix",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frac",
    "frexp",
    "gcd",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "hardshrink",
    "heaviside",
    "hypot",
    "i0",
    "igamma",
    "igammac",
    "isclose",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "lcm",
    "ldexp",
    "le",
    "lerp",
    "less",
    "less_equal",
    "lgamma",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "lt",
    "maximum",
    "minimum",
    "mul",
    "multiply",
    "mvlgamma",
    "nan_to_num",
    "ne",
    "neg",
    "negative",
    "nextafter",
    "not_equal",
    "polygamma",
    "positive",
    "pow",
    "prelu",
    "rad2deg",
    "real",
    "reciprocal",
    "relu",
    "remainder",
    "round",
    "rsqrt",
    "rsub",
    "selu",
    "sgn",
    "sigmoid",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "square",
    "sub",
    "subtract",
    "tan",
    "tanh",
    "threshold",
    "true_divide",
    "trunc",
    "xlogy",
]

abs = function(Tensor.abs)
acos = function(Tensor.acos)
acosh = function(Tensor.acosh)
add = either(Tensor.add)
addcdiv = function(Tensor.addcdiv)
addcmul = function(Tensor.addcmul)
allclose = function(Tensor.allclose)
angle = function(Tensor.angle)
asin = function(Tensor.asin)
asinh = function(Tensor.asinh)
atan = function(Tensor.atan)
atan2 = function(Tensor.atan2)
atanh = function(Tensor.atanh)
bitwise_and = either(Tensor.bitwise_and)
bitwise_left_shift = either(Tensor.bitwise_left_shift)
bitwise_not = function(Tensor.bitwise_not)
bitwise_or = either(Tensor.bitwise_or)
bitwise_right_shift = either(Tensor.bitwise_right_shift)
bitwise_xor = either(Tensor.bitwise_xor)
ceil = function(Tensor.ceil)
celu = function(Tensor.celu)
clamp = function(Tensor.clamp)
clamp_max = function(Tensor.clamp_max)
clamp_min = function(Tensor.clamp_min)
clip = function(Tensor.clip)
conj = function(Tensor.conj)
copysign = function(Tensor.copysign)
cos = function(Tensor.cos)
cosh = function(Tensor.cosh)
deg2rad = function(Tensor.deg2rad)
digamma = function(Tensor.digamma)
div = either(Tensor.div)
eq = function(Tensor.eq)
equal = function(Tensor.equal)
erf = function(Tensor.erf)
erfc = function(Tensor.erfc)
erfinv = function(Tensor.erfinv)
exp = function(Tensor.exp)
exp2 = function(Tensor.exp2)
expm1 = function(Tensor.expm1)
fill = function(Tensor.fill)
float_power = either(Tensor.float_power)
floor = function(Tensor.floor)
floor_divide = either(Tensor.floor_divide)
fmax = function(Tensor.fmax)
fmin = function(Tensor.fmin)
fmod = function(Tensor.fmod)
frac = function(Tensor.frac)
frexp = function(Tensor.frexp)
gcd = function(Tensor.gcd)
ge = function(Tensor.ge)
gt = function(Tensor.gt)
hardshrink = function(Tensor.hardshrink)
heaviside = function(Tensor.heaviside)
hypot = function(Tensor.hypot)
i0 = function(Tensor.i0)
igamma = function(Tensor.igamma)
igammac = function(Tensor.igammac)
isclose = function(Tensor.isclose)
isfinite = function(Tensor.isfinite)
isinf = function(Tensor.isinf)
isnan = function(Tensor.isnan)
isneginf = function(Tensor.isneginf)
isposinf = function(Tensor.isposinf)
isreal = function(Tensor.isreal)
lcm = function(Tensor.lcm)
ldexp = function(Tensor.ldexp)
le = function(Tensor.le)
lerp = function(Tensor.lerp)
lgamma = function(Tensor.lgamma)
log = function(Tensor.log)
log10 = function(Tensor.log10)
log1p = function(Tensor.log1p)
log2 = function(Tensor.log2)
logaddexp = function(Tensor.logaddexp)
logaddexp2 = function(Tensor.logaddexp2)
logical_and = function(Tensor.logical_and)
logical_not = function(Tensor.logical_not)
logical_or = function(Tensor.logical_or)
logical_xor = function(Tensor.logical_xor)
logit = function(Tensor.logit)
lt = function(Tensor.lt)
maximum = function(Tensor.maximum)
minimum = function(Tensor.minimum)
mul = either(Tensor.mul)
mvlgamma = function(Tensor.mvlgamma)
nan_to_num = function(Tensor.nan_to_num)
ne = function(Tensor.ne)
neg = function(Tensor.neg)
nextafter = function(Tensor.nextafter)
positive = function(Tensor.positive)
pow = either(Tensor.pow)
prelu = function(Tensor.prelu)
rad2deg = function(Tensor.rad2deg)
reciprocal = function(Tensor.reciprocal)
relu = function(Tensor.relu)
remainder = either(Tensor.remainder)
round = function(Tensor.round)
rsqrt = function(Tensor.rsqrt)
rsub = function(Tensor.rsub)
selu = function(Tensor.selu)
sgn = function(Tensor.sgn)
sigmoid = function(Tensor.sigmoid)
sign = function(Tensor.sign)
signbit = function(Tensor.signbit)
sin = function(Tensor.sin)
sinc = function(Tensor.sinc)
sinh = function(Tensor.sinh)
sqrt = function(Tensor.sqrt)
square = function(Tensor.square)
sub = either(Tensor.sub)
tan = function(Tensor.tan)
tanh = function(Tensor.tanh)
threshold = function(Tensor.threshold)
true_divide = either(Tensor.true_divide)
trunc = function(Tensor.trunc)
xlogy = either(Tensor.xlogy)
# other names of the same functions
absolute = abs
arccos = acos
arccosh = acosh
arcsin = asin
arcsinh = asinh
arctan = atan
arctan2 = atan2
arctanh = atanh
divide = div
fix = trunc
greater = gt
greater_equal = ge
less = lt
less_equal = le
multiply = mul
negative = neg
not_equal = ne
subtract = sub
