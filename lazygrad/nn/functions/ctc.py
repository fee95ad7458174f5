"""Connectionist temporal classification: Graves, Fernandez, Gomez and Schmidhuber, "Connectionist temporal
classification: labelling unsegmented sequence data with recurrent neural networks" (ICML 2006), equations 5 to 8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lazygrad.errors import ArgumentError, ShapeError, fail
from lazygrad.nn.functions.wide import wide
from lazygrad.ops.autocast import autocasting
from lazygrad.ops.joining import where
from lazygrad.ops.scan import scan
from lazygrad.tensor import Tensor

Numbers = np.ndarray[Any, Any]


@autocasting
@wide
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Minus the log of the probability that a sequence of symbols, blanks and repetitions taken out, is the target.

    Args:
        log_probs: (T, N, C), the log of each symbol's probability at each time; (T, C) without a batch.
        targets: integers (N, S), or all targets one after the other in a vector. They are read.
        input_lengths: how many times count, for each sequence. Read, as target_lengths are.
        target_lengths: how long each target is; 'mean' divides each loss by it, before the mean is taken.
        blank: the symbol that stands for none.
        zero_infinity: whether a target for which a sequence is too short gives 0 instead of inf.

    The gradient is that of log-probabilities which come from `log_softmax`, as in PyTorch. ShapeError and ArgumentError
    for lengths that do not fit.

    >>> from lazygrad.nn import functional
    >>> steps = Tensor([[[0.5, 0.5]], [[0.5, 0.5]]]).log()
    >>> functional.ctc_loss(steps, Tensor([[1]]), [2], [1])
    tensor(0.2877)
    """
    if reduction not in ("none", "mean", "sum"):
        fail(ArgumentError, f"ctc_loss: reduction is 'mean', 'sum' or 'none', not {reduction!r}")
    batched = log_probs.ndim == 3
    steps = log_probs if batched else log_probs.unsqueeze(1)
    if steps.ndim != 3 or not 0 <= blank < steps._known("ctc_loss", 2):
        fail(ShapeError, f"ctc_loss: log_probs (T, N, C) with symbol {blank} are needed, not {list(log_probs.shape)}")
    longest, batch = steps._known("ctc_loss", 0), steps._known("ctc_loss", 1)
    times = _lengths("input_lengths", input_lengths, batch, longest)
    counts = _lengths("target_lengths", target_lengths, batch, None)
    symbols = _symbols(targets.numpy(), counts, blank)
    likelihood, nothing = _log_likelihood(steps, symbols, times, counts, blank)
    never = likelihood.eq(-math.inf)
    # inf, with a gradient of 0 / 0, which PyTorch has it be, too
    infinity = 0.0 if zero_infinity else -where(never, nothing, 1.0).square().log()
    loss = where(never, infinity, nothing - likelihood)
    if reduction == "mean":
        return (loss / Tensor(np.maximum(counts, 1), dtype=loss.dtype, device=loss.device)).mean()
    return (loss if batched else loss.reshape(()))._reduced("ctc_loss", reduction)


def _lengths(name: str, given: Tensor | Sequence[int], batch: int, at_most: int | None) -> Numbers:
    lengths = (given.numpy() if isinstance(given, Tensor) else np.asarray(given)).reshape(-1)
    if lengths.shape != (batch,):
        fail(ShapeError, f"ctc_loss: {name} are {lengths.size} for {batch} sequences")
    if lengths.dtype.kind not in "iu" or (lengths < 0).any() or (at_most is not None and (lengths > at_most).any()):
        fail(ArgumentError, f"ctc_loss: {name} {lengths.tolist()} do not fit sequences of {at_most or 'any'} symbols")
    return lengths


def _symbols(targets: Numbers, counts: Numbers, blank: int) -> Numbers:
    """The targets (N, 2 S + 1) with blanks around every symbol."""
    longest = int(counts.max(initial=0))
    if targets.ndim == 2 and (targets.shape[0] != len(counts) or targets.shape[1] < longest):
        fail(ShapeError, f"ctc_loss: targets {list(targets.shape)} for {len(counts)} of up to {longest} symbols")
    if targets.ndim != 2 and targets.size != (counts.sum() if len(counts) > 1 else max(longest, targets.size)):
        fail(ShapeError, f"ctc_loss: {targets.size} symbols for targets of {counts.tolist()}")
    starts = np.cumsum(counts) - counts
    rows = np.full((len(counts), 2 * longest + 1), blank, np.int64)
    for n, (start, count) in enumerate(zip(starts, counts)):
        rows[n, 1 : 2 * count : 2] = targets[n, :count] if targets.ndim == 2 else targets[start : start + count]
    return rows


def _log_likelihood(
    steps: Tensor,
    symbols: Numbers,
    times: Numbers,
    counts: Numbers,
    blank: int,
) -> tuple[Tensor, Tensor]:
    """For each sequence, by the probabilities of being at each symbol of the target at each time, forward in time; and
    0, with a gradient that is part of that of minus it."""
    device, (batch, places) = steps.device, symbols.shape
    index = Tensor(symbols, device=device)
    emitted = steps.gather(2, index.unsqueeze(0).expand(steps.shape[0], batch, places))
    differs = np.zeros(symbols.shape, np.bool_)
    differs[:, 2:] = (symbols[:, 2:] != symbols[:, :-2]) & (symbols[:, 2:] != blank)
    may_skip = Tensor(differs, device=device)
    going_on = Tensor(np.arange(len(steps))[:, None] < times, device=device)
    start = np.where(np.arange(places) == 0, 0.0, -math.inf)
    at = Tensor(np.tile(start, (batch, 1)), dtype=steps.dtype, device=device)

    def once(at: Tensor, now: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[()]]:
        stayed = [at, _later(at, 1), where(may_skip, _later(at, 2), -math.inf)]
        return where(now[1].unsqueeze(1), _log_of_sum(stayed) + now[0], at), ()

    at, _ = scan(once, at, (emitted, going_on))
    last = Tensor(2 * counts[:, None], device=device)
    ends = [at.gather(1, last), at.gather(1, (last - 1).clamp(min=0))]
    ends[1] = where(last.eq(0), -math.inf, ends[1])
    # The probabilities of a time add up to 1: PyTorch's gradient takes their sum into account
    mass = steps.exp()
    counted = going_on.unsqueeze(2) & mass.isfinite()  # a symbol that no target has leaves nothing behind
    return _log_of_sum(ends).squeeze(1), where(counted, mass - mass.detach(), 0.0).sum((0, 2))


def _later(at: Tensor, n: int) -> Tensor:
    """What was `n` places before."""
    places = at.shape[1]
    assert isinstance(places, int)
    return at[:, : max(places - n, 0)].pad((min(n, places), 0), value=-math.inf)


def _log_of_sum(logarithms: list[Tensor]) -> Tensor:
    """log of the sum of exp, -inf with a gradient of 0 where all are -inf."""
    largest = logarithms[0].detach()
    for x in logarithms[1:]:
        largest = largest.maximum(x.detach())
    nothing = largest.eq(-math.inf)
    base = where(nothing, 0.0, largest)
    total = sum((x - base).exp() for x in logarithms)
    assert isinstance(total, Tensor)
    return where(nothing, -math.inf, where(nothing, 1.0, total).log() + base)
