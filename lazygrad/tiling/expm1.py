"""exp(x) - 1 as basic instructions, without cancellation.

With x = n ln 2 + f, as for exp, it is 2^n (exp(f) - 1) + (2^n - 1). Near 0, where n is 0, that is exp(f) - 1 itself:
the polynomial before its 1 is added.
"""

from __future__ import annotations

from lazygrad.dtype import DType, dtypes

from .lower_context import Context
from .machine import Code, Operand
from .vectormath import LOG2_E, emitter, register

# ln 2 in two parts; n times the first is exact, also where products are rounded before they are added
_LN2 = {
    dtypes.float32: (0.693145751953125, 1.428606820309417e-06),
    dtypes.float64: (0.6931471803691238, 1.9082149292705877e-10),
}
_RANGE = {dtypes.float32: (-30.0, 89.0), dtypes.float64: (-50.0, 709.9)}  # beyond: -1, and inf


def expm1(context: Context, dtype: DType, x: Operand) -> Operand:
    """e^x - 1, within 2 units in the last place from subnormals to overflow; of zeros, the zero."""
    e = emitter(context, dtype)
    form = e.form
    x = register(context, x)
    held = e.held(x, _RANGE[dtype])
    shifted = e.op(Code.FMA, held, LOG2_E, form.round_magic)
    n = e.op(Code.SUB, shifted, form.round_magic)
    f = held
    for part in _LN2[dtype]:
        f = e.op(Code.FMA, n, -part, f)
    p = e.op(Code.FMA, e.op(Code.MUL, e.polynomial(form.exp, f), f), f, f)
    # n stands in the low bits, those of round_magic are shifted out; 2^(n-1) is finite also where 2^n is not
    exponent = e.bit_op(Code.ADD, e.bits(shifted), form.bias - 1)
    half = e.real(e.bit_op(Code.SHL, exponent, form.mantissa))
    grown = e.op(Code.FMA, half, p, e.op(Code.SUB, half, 0.5))
    near = e.where(Code.EQ, x, 0.0, x, p)
    return e.where(Code.EQ, n, 0.0, near, e.op(Code.ADD, grown, grown))
