"""Poisson and binomial numbers: by inversion where they are small, else by transformed rejection.

Hörmann, "The transformed rejection method for generating Poisson random variables" (Insurance: Mathematics and
Economics 12, 1993), algorithm PTRS, and "The generation of binomial random variates" (Journal of Statistical
Computation and Simulation 46, 1993), algorithm BTRS. Instead of trying until a number is accepted, a fixed number of
tries is made at once and the first one accepted is taken: that all fail is less probable than 1e-16.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TRIES = 24  # each is accepted with a probability of at least 0.79
LIMIT = 10  # of the mean, from which on numbers are tried
COUNTS = 64  # that inversion looks at: a number of a mean below LIMIT is larger with a probability below 1e-28
_FAR = float(1 << 56)  # above every number that is drawn


@dataclass(frozen=True)
class Hat:
    """The curve that tries are drawn below, float64 tensors: wide by `a` and `b` around `centre`.

    `height(k)` is the logarithm of the probability of k, over that of what `alpha` was fitted to.
    """

    a: Any
    b: Any
    alpha: Any
    centre: Any
    height: Callable[[Any], Any]


def first_accepted(hat: Hat, u: Any, v: Any) -> Any:
    """The first number that is accepted along dimension 0 of two tensors of uniform numbers."""
    u = u - 0.5
    room = 0.5 - u.abs()
    k = ((hat.a * 2 / room + hat.b) * u + hat.centre).floor()
    fits = (v * hat.alpha / (hat.a / (room * room) + hat.b)).log() <= hat.height(k.clamp(min=0))
    good = fits & (k >= 0) & (room > 0)
    order = u.arange(TRIES, 0, -1, device=u.device).cast(u.dtype).reshape([TRIES] + [1] * (u.ndim - 1))
    best = good._choose(order, 0).amax(0)
    return (good & order.eq(best))._choose(k, 0).sum(0)


def inverted(log_probability: Callable[[Any], Any], u: Any) -> Any:
    """How many of 0, 1, ... have a cumulated probability of at most `u`, a tensor of uniform numbers."""
    counts = u.arange(COUNTS, device=u.device).cast(u.dtype).reshape([COUNTS] + [1] * u.ndim)
    return log_probability(counts).exp().cumsum(0).le(u).cast(u.dtype).sum(0)


def poisson(mean: Any, u: Any, v: Any) -> Any:
    """Poisson numbers of the means `mean`, float64; `u` and `v` are uniform numbers, TRIES of each for each of them."""
    many = mean.clamp(min=LIMIT)
    few = mean.clamp(max=LIMIT)
    root = many.sqrt()
    b = root * 2.53 + 0.931
    a = b * 0.02483 - 0.059
    log = many.log()
    alpha = 1 / (b - 3.4) * 1.1328 + 1.1239
    hat = Hat(a, b, alpha, many + 0.43, lambda k: k * log - many - (k + 1).lgamma())
    least = few.clamp(min=1e-300)
    small = inverted(lambda k: k * least.log() - least - (k + 1).lgamma(), u[0])
    return mean.lt(LIMIT)._choose((few > 0)._choose(small, 0), first_accepted(hat, u, v))


def binomial(count: Any, p: Any, u: Any, v: Any) -> Any:
    """Binomial numbers of `count` tries with probability `p`, float64; `u` and `v` as in `poisson`."""
    rare = p.clamp(max=1 - p)  # by symmetry
    mean = count * rare
    chance = mean.lt(LIMIT)._choose(0.5, rare)
    many = mean.lt(LIMIT)._choose(4.0 * LIMIT, count)
    spread = (many * chance * (1 - chance)).sqrt()
    b = spread * 2.53 + 1.15
    a = b * 0.0248 - 0.0873 + chance * 0.01
    odds = (chance / (1 - chance)).log()
    mode = ((many + 1) * chance).floor()

    def height(k: Any) -> Any:
        inside = k.clamp(max=many)
        whole = (mode + 1).lgamma() + (many - mode + 1).lgamma()
        value = whole - (inside + 1).lgamma() - (many - inside + 1).lgamma() + (inside - mode) * odds
        return (k > many)._choose(-_FAR, value)

    hat = Hat(a, b, (1 / b * 5.1 + 2.83) * spread, many * chance + 0.5, height)
    few = count.clamp(min=0)
    least, rest = rare.clamp(min=1e-300), 1 - rare

    def log_probability(k: Any) -> Any:
        inside = k.minimum(few)
        ways = (few + 1).lgamma() - (inside + 1).lgamma() - (few - inside + 1).lgamma()
        return (k > few)._choose(-_FAR, ways + inside * least.log() + (few - inside) * rest.log())

    small = inverted(log_probability, u[0]).minimum(few)
    drawn = mean.lt(LIMIT)._choose((rare > 0)._choose(small, 0), first_accepted(hat, u, v))
    return p.le(0.5)._choose(drawn, count - drawn)
