"""Line searches that end at a point of the strong Wolfe conditions.

Nocedal and Wright, "Numerical optimization" (2nd edition, 2006): algorithms 3.5 and 3.6, and equation 3.59 for the
minimizer of a cubic.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

DECREASE, CURVATURE = 1e-4, 0.9  # c1 and c2 of the conditions
EXPANSION = (0.01, 10.0)  # a longer step is between 1 + 0.01 * (the last increase), and ten times as long


@dataclass(frozen=True)
class Point:
    """A step length, the loss there, and its slope along the direction."""

    step: float
    loss: float
    slope: float


def cubic_minimum(a: Point, b: Point, low: float, high: float) -> float:
    """Where the cubic with the values and slopes of two points is least, within [low, high]; their middle if nowhere.

    >>> cubic_minimum(Point(0.0, 1.0, -2.0), Point(2.0, 1.0, 2.0), 0.0, 2.0)
    1.0
    """
    if a.step > b.step:
        a, b = b, a
    first = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = first * first - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    root = math.sqrt(square)
    best = b.step - (b.step - a.step) * (b.slope + root - first) / (b.slope - a.slope + 2 * root)
    return min(max(best, low), high)


def strong_wolfe(evaluate: Callable[[float], Point], start: Point, step: float, scale: float, tries: int = 25) -> Point:
    """A point along the line at which the loss has decreased enough and its slope has flattened.

    Args:
        evaluate: the point at a step length.
        start: the point at 0, whose slope is negative.
        step: the length to try first.
        scale: the direction's largest component: a bracket shorter than 1e-9 in it is not divided further.
        tries: how many points are evaluated at most after the first.

    >>> end = strong_wolfe(lambda t: Point(t, (t - 0.3) ** 2, 2 * (t - 0.3)), Point(0.0, 0.09, -0.6), 1.0, 1.0)
    >>> round(end.step, 3)
    0.3
    """
    before, now = start, evaluate(step)
    for done in range(tries):
        too_high = now.loss > start.loss + DECREASE * now.step * start.slope or (done > 0 and now.loss >= before.loss)
        if too_high or now.slope >= 0:
            if not too_high and abs(now.slope) <= -CURVATURE * start.slope:
                return now
            return _zoom(evaluate, start, (before, now), scale, tries - done)
        if abs(now.slope) <= -CURVATURE * start.slope:
            return now
        least = now.step + EXPANSION[0] * (now.step - before.step)
        longer = cubic_minimum(before, now, least, now.step * EXPANSION[1])
        before, now = now, evaluate(longer)
    return min((start, now), key=lambda point: point.loss)


def _zoom(
    evaluate: Callable[[float], Point], start: Point, bracket: tuple[Point, Point], scale: float, tries: int
) -> Point:
    """A point of the conditions between two of which the better one does not fulfil them."""
    best, other = sorted(bracket, key=lambda point: point.loss)
    stuck = False
    for _ in range(tries):
        low, high = sorted((best.step, other.step))
        if (high - low) * scale < 1e-9:
            break
        step = cubic_minimum(best, other, low, high)
        margin = 0.1 * (high - low)
        if min(high - step, step - low) < margin:  # near an end twice, or at it: further in
            if stuck or step in (low, high):
                step, stuck = (high - margin if high - step < step - low else low + margin), False
            else:
                stuck = True
        else:
            stuck = False
        now = evaluate(step)
        if now.loss > start.loss + DECREASE * step * start.slope or now.loss >= best.loss:
            other = now
            best, other = sorted((best, other), key=lambda point: point.loss)
            continue
        if abs(now.slope) <= -CURVATURE * start.slope:
            return now
        if now.slope * (other.step - best.step) >= 0:
            other = best
        best = now
    return best
