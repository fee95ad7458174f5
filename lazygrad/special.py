"""`torch.special` here: methods of `Tensor` as functions. No logic is here."""

from typing import TYPE_CHECKING

from lazygrad.absent import absent_from
from lazygrad.functions.made import either, function
from lazygrad.ops.gamma import polygamma as polygamma
from lazygrad.ops.signatures import check_functions
from lazygrad.tensor import Tensor

__all__ = [
    "airy_ai",
    "bessel_j0",
    "bessel_j1",
    "bessel_y0",
    "bessel_y1",
    "chebyshev_polynomial_t",
    "chebyshev_polynomial_u",
    "chebyshev_polynomial_v",
    "chebyshev_polynomial_w",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammainc",
    "gammaincc",
    "gammaln",
    "hermite_polynomial_h",
    "hermite_polynomial_he",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "laguerre_polynomial_l",
    "legendre_polynomial_p",
    "log1p",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "modified_bessel_i0",
    "modified_bessel_i1",
    "modified_bessel_k0",
    "modified_bessel_k1",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "round",
    "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1",
    "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u",
    "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w",
    "sinc",
    "softmax",
    "spherical_bessel_j0",
    "xlog1py",
    "xlogy",
    "zeta",
]

airy_ai = function(Tensor.airy_ai)
bessel_j0 = function(Tensor.bessel_j0)
bessel_j1 = function(Tensor.bessel_j1)
bessel_y0 = function(Tensor.bessel_y0)
bessel_y1 = function(Tensor.bessel_y1)
chebyshev_polynomial_t = either(Tensor.chebyshev_polynomial_t)
chebyshev_polynomial_u = either(Tensor.chebyshev_polynomial_u)
chebyshev_polynomial_v = either(Tensor.chebyshev_polynomial_v)
chebyshev_polynomial_w = either(Tensor.chebyshev_polynomial_w)
digamma = function(Tensor.digamma)
entr = function(Tensor.entr)
erf = function(Tensor.erf)
erfc = function(Tensor.erfc)
erfcx = function(Tensor.erfcx)
erfinv = function(Tensor.erfinv)
exp2 = function(Tensor.exp2)
expit = function(Tensor.expit)
expm1 = function(Tensor.expm1)
gammaln = function(Tensor.lgamma)
hermite_polynomial_h = either(Tensor.hermite_polynomial_h)
hermite_polynomial_he = either(Tensor.hermite_polynomial_he)
i0 = function(Tensor.i0)
i0e = function(Tensor.i0e)
i1 = function(Tensor.i1)
i1e = function(Tensor.i1e)
laguerre_polynomial_l = either(Tensor.laguerre_polynomial_l)
legendre_polynomial_p = either(Tensor.legendre_polynomial_p)
log1p = function(Tensor.log1p)
log_ndtr = function(Tensor.log_ndtr)
log_softmax = function(Tensor.log_softmax)
logit = function(Tensor.logit)
logsumexp = function(Tensor.logsumexp)
modified_bessel_i0 = function(Tensor.modified_bessel_i0)
modified_bessel_i1 = function(Tensor.modified_bessel_i1)
modified_bessel_k0 = function(Tensor.modified_bessel_k0)
modified_bessel_k1 = function(Tensor.modified_bessel_k1)
multigammaln = function(Tensor.mvlgamma)
ndtr = function(Tensor.ndtr)
ndtri = function(Tensor.ndtri)
psi = function(Tensor.psi)
round = function(Tensor.round)
scaled_modified_bessel_k0 = function(Tensor.scaled_modified_bessel_k0)
scaled_modified_bessel_k1 = function(Tensor.scaled_modified_bessel_k1)
shifted_chebyshev_polynomial_t = either(Tensor.shifted_chebyshev_polynomial_t)
shifted_chebyshev_polynomial_u = either(Tensor.shifted_chebyshev_polynomial_u)
shifted_chebyshev_polynomial_v = either(Tensor.shifted_chebyshev_polynomial_v)
shifted_chebyshev_polynomial_w = either(Tensor.shifted_chebyshev_polynomial_w)
sinc = function(Tensor.sinc)
softmax = function(Tensor.softmax)
spherical_bessel_j0 = function(Tensor.spherical_bessel_j0)
xlog1py = either(Tensor.xlog1py)
xlogy = either(Tensor.xlogy)
gammainc = function(Tensor.igamma)
gammaincc = function(Tensor.igammac)
zeta = either(Tensor.zeta)

check_functions(globals())

if not TYPE_CHECKING:
    __getattr__ = absent_from("lazygrad.special")
