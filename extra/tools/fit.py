"""Make the coefficients of `lazygrad/ops/fits.py` and `bessel_fits.py`: `python extra/tools/fit.py [NAME ...]`.

A function is interpolated in Chebyshev's points with 60 digits, and the coefficients are kept that count in the
precision wanted. Those in powers are made of those in Chebyshev's polynomials, with the same digits.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath as mp

DOUBLE, SINGLE = 2e-17, 1e-8
NEVER = mp.mpf(10) ** -25  # in the place of 0, where a formula divides


@dataclass(frozen=True)
class Fit:
    """`function` over [low, high]; in Chebyshev's polynomials of the place in that range, moved to [-1, 1], or with
    `powers` in powers of the argument itself, less `origin`."""

    function: Callable[[Any], Any]
    low: float
    high: float
    least: float = DOUBLE
    powers: bool = False
    origin: float = 0.0


def chebyshev(fit: Fit, points: int = 70) -> list[Any]:
    """The coefficients of the interpolation, but for the last ones that are below `least`."""
    low, high = mp.mpf(fit.low), mp.mpf(fit.high)
    angles = [mp.pi * (2 * k + 1) / (2 * points) for k in range(points)]
    values = [fit.function((low + high) / 2 + (high - low) / 2 * mp.cos(a)) for a in angles]
    c = [2 * mp.fsum(v * mp.cos(j * a) for v, a in zip(values, angles)) / points for j in range(points)]
    c[0] /= 2
    largest = max(map(abs, values))
    while abs(c[-1]) < fit.least * largest:
        c.pop()
    return c


def powers(fit: Fit, c: list[Any]) -> list[Any]:
    """The same polynomial in powers of z - origin, where z runs over the range of the fit."""
    middle, half = (mp.mpf(fit.low) + mp.mpf(fit.high)) / 2, (mp.mpf(fit.high) - mp.mpf(fit.low)) / 2
    place = [(mp.mpf(fit.origin) - middle) / half, 1 / half]  # in [-1, 1], as a polynomial
    before, last = [mp.mpf(1)], place
    total = [c[0] * before[0]]
    for a in c[1:]:
        total = _sum(total, [a * x for x in last])
        before, last = last, _sum([2 * x for x in _product(place, last)], [-x for x in before])
    return total


def _sum(a: list[Any], b: list[Any]) -> list[Any]:
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    return [x + (shorter[i] if i < len(shorter) else 0) for i, x in enumerate(longer)]


def _product(a: list[Any], b: list[Any]) -> list[Any]:
    result = [mp.mpf(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            result[i + j] += x * y
    return result


def _odd(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """(f(t) / t - 1) / t**2, from t**2."""

    def rest(square: Any) -> Any:
        t = mp.sqrt(max(square, NEVER))
        return (function(t) / t - 1) / (t * t)

    return rest


def _lgamma(x: Any) -> Any:
    x = x if min(abs(x - 1), abs(x - 2)) > NEVER else x + NEVER
    return mp.loggamma(x) / ((x - 1) * (x - 2))


def _erfcx(place: Any) -> Any:
    x = 4 * (1 + place) / (1 - place)
    if x < 1000:
        return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)
    series = mp.fsum((-1) ** k * mp.fac2(2 * k - 1) / (2 * x * x) ** k for k in range(12))
    return (1 + 2 * x) / (x * mp.sqrt(mp.pi)) * series


def _erfinv(w: Any) -> Any:
    """erfinv(x) / x for -log(1 - x * x) = w, by Newton's method on log(erfc)."""
    rest = mp.exp(-w)
    x = mp.sqrt(1 - rest)
    tail = rest / (1 + x)  # 1 - x
    y = mp.erfinv(x) if w < 20 else mp.sqrt(w)
    for _ in range(40):
        value = mp.erfc(y)
        step = mp.log(value / tail) * value * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
        y += step
        if abs(step) < mp.mpf(10) ** -40:
            break
    return y / x


def _modified(kind: Callable[..., Any], order: int, bound: float, sign: int) -> Callable[[Any], Any]:
    """sqrt(x) * exp(sign * x) * kind(order, x), from bound / x."""

    def far(y: Any) -> Any:
        x = bound / max(y, mp.mpf(10) ** -4)
        return mp.sqrt(x) * mp.exp(sign * x) * kind(order, x)

    return far


def _wave(order: int, lag: bool) -> Callable[[Any], Any]:
    """P or, times x / 8, Q of Hankel's expansion, from (8 / x)**2."""

    def part(y: Any) -> Any:
        x = 8 / mp.sqrt(max(y, mp.mpf(10) ** -8))
        angle, scale = x - (2 * order + 1) * mp.pi / 4, mp.sqrt(mp.pi * x / 2)
        j, second = mp.besselj(order, x), mp.bessely(order, x)
        if lag:
            return scale * (second * mp.cos(angle) - j * mp.sin(angle)) * x / 8
        return scale * (j * mp.cos(angle) + second * mp.sin(angle))

    return part


def _of_root(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """function(x), from x**2."""
    return lambda square: function(mp.sqrt(max(square, mp.mpf(10) ** -16)))


def _airy_right(y: Any) -> Any:
    z = mp.mpf(2) / 3 * mp.mpf(2) ** 1.5 / max(y, mp.mpf(10) ** -6)
    x = (z * 3 / 2) ** (mp.mpf(2) / 3)
    return 2 * mp.sqrt(mp.pi) * mp.root(x, 4) * mp.exp(z) * mp.airyai(x)


def _airy_wave(lag: bool) -> Callable[[Any], Any]:
    def part(y: Any) -> Any:
        least = mp.mpf(2) / 3 * mp.mpf(4) ** 1.5
        z = least / mp.sqrt(max(y, mp.mpf(10) ** -7))
        x = (z * 3 / 2) ** (mp.mpf(2) / 3)
        angle, scale = z - mp.pi / 4, mp.sqrt(mp.pi) * mp.root(x, 4)
        a, b = scale * mp.airyai(-x), scale * mp.airybi(-x)
        if lag:
            return (a * mp.sin(angle) + b * mp.cos(angle)) * z / least
        return a * mp.cos(angle) - b * mp.sin(angle)

    return part


_FLAT = (mp.sqrt(2) - 1) ** 2 * mp.mpf("1.0001")  # tan(pi / 8) squared, and some more
FITS = {
    "ATAN float32": Fit(_odd(mp.atan), 0, _FLAT, SINGLE, powers=True),
    "ATAN float64": Fit(_odd(mp.atan), 0, _FLAT, powers=True),
    "ASIN float32": Fit(_odd(mp.asin), 0, 0.2501, SINGLE, powers=True),
    "ASIN float64": Fit(_odd(mp.asin), 0, 0.2501, powers=True),
    "LGAMMA": Fit(_lgamma, 1, 3, powers=True, origin=2.0),
    "ERFCX": Fit(_erfcx, -1, 1),
    "ERFINV_NEAR": Fit(lambda w: _erfinv(max(w, NEVER)), 0, 6.25),
    **{f"ERFINV_FAR {a}": Fit(lambda s: _erfinv(s * s), a, b) for a, b in ((2.5, 4), (4, 8), (8, 28))},
    "I0E_NEAR": Fit(lambda x: mp.exp(-x) * mp.besseli(0, x), 0, 8),
    "I1E_NEAR": Fit(lambda x: mp.exp(-x) * mp.besseli(1, x) / x, 0, 8),
    "I0E_FAR": Fit(_modified(mp.besseli, 0, 8, -1), 0, 1),
    "I1E_FAR": Fit(_modified(mp.besseli, 1, 8, -1), 0, 1),
    "J0_NEAR": Fit(_of_root(lambda x: mp.besselj(0, x)), 0, 64),
    "J1_NEAR": Fit(_of_root(lambda x: mp.besselj(1, x) / x), 0, 64),
    "Y0_NEAR": Fit(_of_root(lambda x: mp.bessely(0, x) - 2 / mp.pi * mp.log(x) * mp.besselj(0, x)), 0, 64),
    "Y1_NEAR": Fit(
        _of_root(lambda x: (mp.bessely(1, x) - 2 / mp.pi * (mp.log(x) * mp.besselj(1, x) - 1 / x)) / x), 0, 64
    ),
    **{f"{'PQ'[lag]}{order}_FAR": Fit(_wave(order, bool(lag)), 0, 1) for order in (0, 1) for lag in (0, 1)},
    "K0_NEAR": Fit(_of_root(lambda x: mp.besselk(0, x) + mp.log(x) * mp.besseli(0, x)), 0, 4),
    "K1_NEAR": Fit(_of_root(lambda x: (mp.besselk(1, x) - mp.log(x) * mp.besseli(1, x) - 1 / x) / x), 0, 4),
    "I0_SMALL": Fit(_of_root(lambda x: mp.besseli(0, x)), 0, 4),
    "I1_SMALL": Fit(_of_root(lambda x: mp.besseli(1, x) / x), 0, 4),
    "K0_FAR": Fit(_modified(mp.besselk, 0, 2, 1), 0, 1),
    "K1_FAR": Fit(_modified(mp.besselk, 1, 2, 1), 0, 1),
    "AIRY_RIGHT": Fit(_airy_right, 0, 1),
    "AIRY_MIDDLE": Fit(mp.airyai, -4, 2),
    "AIRY_P": Fit(_airy_wave(False), 0, 1),
    "AIRY_Q": Fit(_airy_wave(True), 0, 1),
}


def main() -> None:
    """Print the coefficients of the fits named, or of all."""
    for name in sys.argv[1:] or FITS:
        fit = FITS[name]
        with mp.workdps(60):
            c = chebyshev(fit)
            c = powers(fit, c) if fit.powers else c
        print(f"{name}: {', '.join(repr(float(x)) for x in c)}")


if __name__ == "__main__":
    main()
