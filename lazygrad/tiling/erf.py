"""The error function as basic instructions.

Below 1 an odd polynomial, above 1 - 2^P(|x|), both minimax fits (Remez). The largest errors, in units in the last
place: 1.5 in float32, 3.5 in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

from lazygrad.dtype import DType, dtypes

from .lower_context import Context
from .machine import Code, Operand
from .vectormath import emitter, exp2, register


@dataclass(frozen=True)
class _Fit:
    inner: tuple[float, ...]  # erf(x) / x - 1, in x*x, for |x| <= 1
    tail: tuple[float, ...]  # log2(1 - erf(a)), in a - center, for 1 <= a <= limit
    center: float
    limit: float  # erf is 1 beyond


_SINGLE = _Fit(
    (0.1283791659137759, -0.3761262713605859, 0.11283600177166012, -0.02685444462889928, 0.005189535410270387,
     -0.0008020841914627689, 7.889121669304654e-05),
    (-11.262853723591842, -7.7222857771462525, -1.3617480768603683, -0.015658289421817368, 0.0031256326514461693,
     -0.0006216778735966749, 8.918312035540082e-05, -3.128736158713747e-05),
    2.5, 4.0,
)  # fmt: skip
_DOUBLE = _Fit(
    (0.1283791670955126, -0.37612638903183754, 0.1128379167095512, -0.026866170645129868, 0.005223977625423611,
     -0.0008548327021956025, 0.000120553329038126, -1.4925647594497853e-05, 1.646204598055763e-06,
     -1.636464955146516e-07, 1.479246964452013e-08, -1.216496861716556e-09, 8.710465336650472e-11,
     -4.23312952867958e-12),
    (-20.359943454925496, -10.482765842591213, -1.3947298374406727, -0.007539032546417742, 0.0012604556579998353,
     -0.00021252157741642324, 3.517847860825166e-05, -5.580302582773313e-06, 9.007063807891484e-07,
     -7.553463361427069e-08, 1.579898695796132e-08, -2.4786066016993356e-08, -2.4154663998209305e-08,
     -1.3112761870642379e-08, -4.535902654102333e-09, -9.829648623448536e-10, -1.2614619021633744e-10,
     -7.018765029087116e-12),
    3.5, 6.0,
)  # fmt: skip


def erf(context: Context, dtype: DType, x: Operand) -> Operand:
    """2/sqrt(pi) times the integral of exp(-t*t) from 0 to x."""
    e = emitter(context, dtype)
    fit = _SINGLE if dtype is dtypes.float32 else _DOUBLE
    x = register(context, x)
    size = e.where(Code.LT, x, 0.0, e.op(Code.NEG, x), x)
    inner = e.op(Code.FMA, e.polynomial(fit.inner, e.op(Code.MUL, x, x)), x, x)
    held = e.where(Code.LT, fit.limit, size, fit.limit, size)
    power = exp2(context, dtype, e.polynomial(fit.tail, e.op(Code.SUB, held, fit.center)))
    outer = e.op(Code.SUB, 1.0, power)
    outer = e.where(Code.LT, x, 0.0, e.op(Code.NEG, outer), outer)
    return e.where(Code.LT, size, 1.0, inner, outer)
