"""Values and gradients at nan, infinities, zeros of both signs and ties are PyTorch's, for every operation it has."""

from __future__ import annotations

import re

import pytest
import torch

from lazygrad.settings import settings
from tests.frontend.test_opinfo import REFUSED, is_known
from tests.peers import opinfo
from tests.peers.poison import KINDS, poisoned

LEFT_OUT = {"nn.functional.grid_sample": "PyTorch reads at places that nan gives, and crashes"}
_EQUAL = "which of equal elements is named is open, and with it whose gradient it is"
_FACTORS = "what a factorization by other steps makes of nan, or of a singular matrix, is open"
_DIVIDED = "the product of all other elements, where PyTorch divides the product by the element, or stops at two zeros"
_WELFORD = "PyTorch's mean of infinities comes of differences of means"
_AT_INFINITY = "0 at infinity, the limit, where PyTorch multiplies 0 by inf; its trigamma is finite at its poles"
_UNSORTED = "what is found in a sequence that is not sorted is open"
_DEGREES = "PyTorch takes a closed form by comparisons that nan fails, and gives numbers for it"
_SIGNED_ZERO = "digamma keeps the sign of its 0, which PyTorch's sum with 0 loses"
_KINDS = ("t", "u", "v", "w")
VALUES = {  # whose values and gradients differ
    **dict.fromkeys(("cholesky_inverse", "linalg.cholesky_ex", "linalg.householder_product", "ormqr"), _FACTORS),
    **dict.fromkeys(("geqrf", "qr", "linalg.qr", "linalg.lu", "linalg.lu_factor", "linalg.lu_factor_ex"), _FACTORS),
    **dict.fromkeys(("lu", "linalg.inv", "linalg.inv_ex", "linalg.solve_ex", "linalg.lstsq"), _FACTORS),
    **dict.fromkeys(("linalg.lstsq.grad_oriented", "svd_lowrank"), _FACTORS),
    **dict.fromkeys(("mode", "unique"), "nan equals nothing: which of several there is, and their order, are open"),
    **dict.fromkeys(("bucketize", "searchsorted"), _UNSORTED),
    **dict.fromkeys(("var_mean", "std_mean"), _WELFORD),
    **dict.fromkeys((f"polygamma.polygamma_n_{n}" for n in range(5)), _AT_INFINITY),
    "special.polygamma.special_polygamma_n_0": _AT_INFINITY,
    **dict.fromkeys((f"special.chebyshev_polynomial_{k}" for k in _KINDS), _DEGREES),
    **dict.fromkeys((f"special.shifted_chebyshev_polynomial_{k}" for k in _KINDS), _DEGREES),
    **dict.fromkeys(("special.laguerre_polynomial_l", "special.legendre_polynomial_p"), _DEGREES),
    "special.airy_ai": "PyTorch's is wrong by 1e-7",
    **dict.fromkeys((f"special.bessel_{k}" for k in ("j0", "j1", "y0", "y1")), "PyTorch's is wrong by 1e-7"),
    "gradient": "places that are equal: inf - inf in another order",
    "cdist": "PyTorch's order inf compares past nan",
    "nanquantile": "inf - inf between neighbours",
    "nn.functional.binary_cross_entropy_with_logits": "infinite logits cost inf, where PyTorch subtracts inf from inf",
    "nn.functional.group_norm": "PyTorch multiplies the mean by an infinite weight",
    "nn.functional.scaled_dot_product_attention": "PyTorch's blocks give 0 for rows of nan, and nan beside the mask",
}
SLOPES = {  # whose gradients differ only
    **dict.fromkeys(("kthvalue", "topk", "sort", "msort"), _EQUAL),
    **dict.fromkeys(("svd", "linalg.svd", "linalg.eigh"), "vectors of equal values are any of a plane"),
    **dict.fromkeys(("lu_solve", "linalg.lu_solve", "linalg.tensorsolve"), _FACTORS),
    **dict.fromkeys(("prod", "cumprod", "masked.prod", "masked.cumprod"), _DIVIDED),
    **dict.fromkeys(("index_reduce.prod", "scatter_reduce.prod"), _DIVIDED),
    **dict.fromkeys((f"mvlgamma.mvlgamma_p_{p}" for p in (1, 3, 5)), _SIGNED_ZERO),
    **dict.fromkeys(("special.i1", "special.i1e"), "nan at nan, where PyTorch says 1/2"),
    **dict.fromkeys(("renorm", "masked.normalize"), "a norm that is infinite has the slope 0"),
    "digamma": "PyTorch's trigamma is finite at its poles",
    "special.log_ndtr": "the limit at -inf",
    "ldexp": "infinities of both signs summed before, or after, they are multiplied",
    "logcumsumexp": "an infinite element has a slope by itself, where PyTorch takes exp(inf - inf)",
    "nanmean": "of nothing: 0 where nan counts for nothing, and PyTorch 0 times inf",
    "nn.functional.ctc_loss": "a symbol of probability 0 that is not passed has the slope 0",
    "nn.functional.glu": "an infinite gradient of the sigmoid, which has two parts",
    "nn.functional.multilabel_soft_margin_loss": "as that of the cross entropy with logits",
    "nn.functional.pdist": "the slope of a distance of nan",
    "nn.functional.poisson_nll_loss": "PyTorch's log(0) for targets that Stirling's term leaves out",
    "nn.functional.soft_margin_loss": "PyTorch's exp overflows",
}
REFUSED_HERE = {**REFUSED, "linalg.ldl_solve": "Singular"}  # PyTorch divides by 0 there
NAMES = [name for name in opinfo.operations() if name not in LEFT_OUT]


def compared(done: list[opinfo.Computed]) -> list[str]:
    """What differs and is not known to."""
    wrong = [w for d in done for w in opinfo.compare(d)]
    return [w for w in wrong if not is_known(w.split()[0], torch.float64) and not _has_reason(w)]


def _has_reason(wrong: str) -> bool:
    sample, what = wrong.split()[:2]
    name = sample.partition("[")[0]
    return name in VALUES or (name in SLOPES and what == "gradient")


def test_reasons_are_of_operations() -> None:
    assert set(VALUES) | set(SLOPES) | set(LEFT_OUT) <= set(opinfo.operations())
    assert not set(VALUES) & set(SLOPES)


@pytest.mark.parametrize("name", NAMES)
def test_poisoned(name: str, breadth: int) -> None:
    wrong = []
    with settings.override(device="NUMPY"):
        for kind in KINDS:
            for sample in poisoned(name, kind, 2 * breadth):
                try:
                    wrong += [f"{kind}: {w}" for w in compared([opinfo.compute(sample)])]
                except opinfo.RefusedError as error:
                    if not re.search(REFUSED_HERE.get(name, "^$"), str(error)):
                        wrong.append(f"{kind}: refused: {sample}: {error}")
    assert not wrong, "\n".join(wrong)
