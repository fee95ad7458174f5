"""Learning rate schedules against PyTorch's step by step, alone and together, and in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lazygrad import Tensor, jit, nn, optim
from lazygrad.errors import ArgumentError, OperandError
from lazygrad.optim import lr_scheduler, swa_utils

STEPS = 13
pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch tells of steps without an optimizer's
SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("ConstantLR", {"factor": 0.5, "total_iters": 3}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.5, "total_iters": 0}),
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.5}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("LinearLR", {"start_factor": 0.25, "end_factor": 1.0, "total_iters": 4}),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.125}),
    ("PolynomialLR", {"total_iters": 7, "power": 2.0}),
    ("PolynomialLR", {}),
    ("CosineAnnealingLR", {"T_max": 8, "eta_min": 0.1}),
    ("CosineAnnealingLR", {"T_max": 3}),
    ("CosineAnnealingLR", {"T_max": 1, "eta_min": 0.2}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3}),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 2, "eta_min": 0.1}),
    ("LambdaLR", {"lr_lambda": lambda step: 1 / (1 + step)}),
    ("LambdaLR", {"lr_lambda": [lambda step: 1 / (1 + step), lambda step: 0.5**step]}),
    ("MultiplicativeLR", {"lr_lambda": lambda step: 1 / (1 + step)}),
    ("MultiplicativeLR", {"lr_lambda": [lambda step: 0.5, lambda step: 0.9]}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 3}),
    ("CyclicLR", {"base_lr": [0.1, 0.2], "max_lr": [1.0, 2.0], "step_size_up": 3, "step_size_down": 2}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 2, "mode": "triangular2"}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 2, "mode": "exp_range", "gamma": 0.9}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 2, "scale_fn": lambda x: 1 / x}),
    (
        "CyclicLR",
        {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 2, "scale_fn": lambda x: 0.9**x, "scale_mode": "iterations"},
    ),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 3, "base_momentum": [0.5, 0.6]}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 3, "cycle_momentum": False}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": STEPS}),
    ("OneCycleLR", {"max_lr": [1.0, 2.0], "epochs": 5, "steps_per_epoch": 3, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 20, "three_phase": True, "pct_start": 0.25, "div_factor": 10.0}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 15, "cycle_momentum": False, "final_div_factor": 2.0}),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 15, "max_momentum": [0.9, 0.8]}),
    ("SWALR", {"swa_lr": 0.05, "anneal_epochs": 4}),
    ("SWALR", {"swa_lr": [0.05, 0.5], "anneal_epochs": 6, "anneal_strategy": "linear"}),
    ("SWALR", {"swa_lr": 0.05, "anneal_epochs": 0}),
]
NUMBERED = [pytest.param(name, given, id=f"{name}-{i}") for i, (name, given) in enumerate(SCHEDULES)]
Rates = list[tuple[Any, ...]]


class Side:
    """One of the libraries: an optimizer of two groups, and its schedules."""

    def __init__(self, kind: str, ours: bool) -> None:
        self.modules = (lr_scheduler, swa_utils) if ours else (torch.optim.lr_scheduler, torch.optim.swa_utils)
        w, b = ((Tensor([1.0], requires_grad=True) if ours else torch.ones(1, requires_grad=True)) for _ in range(2))
        make: Any = getattr(optim if ours else torch.optim, kind)
        extra = {"momentum": 0.9} if kind == "SGD" else {}
        self.optimizer: Any = make([{"params": [w], "lr": 2.0}, {"params": [b]}], lr=1.0, **extra)

    def make(self, name: str, given: dict[str, Any]) -> Any:
        return next(getattr(m, name) for m in self.modules if hasattr(m, name))(self.optimizer, **given)

    def now(self) -> Rates:
        names = ("lr", "momentum", "betas")
        return [tuple(g[n] for n in names if n in g) for g in self.optimizer.param_groups]


def sides(kind: str = "SGD") -> tuple[Side, Side]:
    return Side(kind, True), Side(kind, False)


def flat(rates: Rates) -> list[float]:
    return [x for group in rates for value in group for x in (value if isinstance(value, tuple) else (value,))]


def same(ours: Side, theirs: Side, mine: Any, torchs: Any, steps: int = STEPS) -> None:
    """The same rates, momenta and last rates for so many steps."""
    for step in range(steps):
        assert flat(ours.now()) == pytest.approx(flat(theirs.now()), rel=1e-12, abs=1e-15), step
        assert mine.get_last_lr() == pytest.approx(torchs.get_last_lr(), rel=1e-12, abs=1e-15), step
        mine.step()
        torchs.step()


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize(("name", "given"), NUMBERED)
def test_as_torch(name: str, given: dict[str, Any], kind: str) -> None:
    ours, theirs = sides(kind)
    same(ours, theirs, ours.make(name, given), theirs.make(name, given))


@pytest.mark.parametrize(("name", "given"), NUMBERED)
def test_resumed(name: str, given: dict[str, Any]) -> None:
    """From our own state, from PyTorch's, and with `last_epoch`."""
    first, theirs = sides()
    a, b = first.make(name, given), theirs.make(name, given)
    same(first, theirs, a, b, 4)
    for state in (a.state_dict(), b.state_dict()):
        ours, other = Side("SGD", True), Side("SGD", True)
        mine = ours.make(name, given)
        for group, saved in zip(ours.optimizer.param_groups, first.optimizer.param_groups):
            group.update({k: v for k, v in saved.items() if k != "params"})
        mine.load_state_dict(state)
        other.optimizer.param_groups = first.optimizer.param_groups
        assert flat(ours.now()) == pytest.approx(flat(first.now()))
        ahead = Side("SGD", False)
        torchs = ahead.make(name, given)
        ahead.optimizer.load_state_dict(theirs.optimizer.state_dict())
        torchs.load_state_dict(b.state_dict())
        same(ours, ahead, mine, torchs, 6)


@pytest.mark.parametrize("name", [n for n, _ in SCHEDULES if n != "SWALR"])
@pytest.mark.parametrize("last_epoch", [0, 3])
def test_last_epoch(name: str, last_epoch: int) -> None:
    given = dict(next(g for n, g in SCHEDULES if n == name), last_epoch=last_epoch)
    both = sides()
    for side in both:
        with pytest.raises(KeyError, match="initial_lr"):
            side.make(name, given)
        for group in side.optimizer.param_groups:
            group.update(initial_lr=group["lr"], max_lr=1.5, min_lr=0.1, base_momentum=0.5, max_momentum=0.9)
    same(*both, both[0].make(name, given), both[1].make(name, given), 7)


def chain(side: Side) -> Any:
    parts = [side.make("ConstantLR", {"factor": 0.1, "total_iters": 3}), side.make("ExponentialLR", {"gamma": 0.9})]
    return side.modules[0].ChainedScheduler([*parts, side.make("CosineAnnealingLR", {"T_max": 5})])


def chain_of_all(side: Side) -> Any:
    names = ["StepLR", "MultiStepLR", "LinearLR", "PolynomialLR", "MultiplicativeLR"]
    parts = [side.make(name, next(g for n, g in SCHEDULES if n == name)) for name in names]
    return side.modules[0].ChainedScheduler(parts, optimizer=side.optimizer)


def sequence(side: Side) -> Any:
    parts = [side.make("LinearLR", {"total_iters": 3}), side.make("ExponentialLR", {"gamma": 0.8})]
    parts.append(side.make("CosineAnnealingLR", {"T_max": 4}))
    return side.modules[0].SequentialLR(side.optimizer, parts, milestones=[3, 7])


def sequence_of_cycles(side: Side) -> Any:
    parts = [side.make("ConstantLR", {"factor": 0.1}), side.make("CosineAnnealingWarmRestarts", {"T_0": 3})]
    return side.modules[0].SequentialLR(side.optimizer, parts, milestones=[4])


def sequence_of_sequences(side: Side) -> Any:
    return side.modules[0].SequentialLR(
        side.optimizer, [sequence(side), side.make("StepLR", {"step_size": 2})], milestones=[8]
    )


COMBINED = [chain, chain_of_all, sequence, sequence_of_cycles, sequence_of_sequences]


@pytest.mark.parametrize("make", COMBINED)
def test_combined_as_torch(make: Callable[[Side], Any]) -> None:
    ours, theirs = sides()
    same(ours, theirs, make(ours), make(theirs))


@pytest.mark.parametrize("make", COMBINED)
def test_combined_resumed(make: Callable[[Side], Any]) -> None:
    ours, theirs = sides()
    mine, torchs = make(ours), make(theirs)
    same(ours, theirs, mine, torchs, 4)
    again = Side("SGD", True)
    resumed = make(again)
    resumed.load_state_dict(mine.state_dict())
    same(again, theirs, resumed, torchs, 6)


MEASURED = [9.0, 8.0, 8.0, 7.9999, 8.1, 8.0, 7.0, 7.0, 7.2, 7.1, 7.0, 7.0, 6.9, 6.9, 6.9, 6.9, 6.9, 6.9]


@pytest.mark.parametrize(
    "given",
    [
        {"patience": 1},
        {"patience": 2, "factor": 0.5, "cooldown": 2, "min_lr": 0.3},
        {"patience": 0, "mode": "max", "min_lr": [0.1, 0.01]},
        {"patience": 0, "threshold": 0.5, "threshold_mode": "abs"},
        {"patience": 0, "threshold": 0.5, "threshold_mode": "abs", "mode": "max"},
        {"patience": 0, "eps": 0.3, "factor": 0.7},
    ],
    ids=str,
)
def test_plateau(given: dict[str, Any]) -> None:
    ours, theirs = sides()
    mine, torchs = ours.make("ReduceLROnPlateau", given), theirs.make("ReduceLROnPlateau", given)
    for k, loss in enumerate(MEASURED):
        mine.step(Tensor(loss) if k % 2 else loss)
        torchs.step(loss)
        assert mine.get_last_lr() == pytest.approx(torchs.get_last_lr(), rel=1e-12), k
        if k == 8:
            mine, state = ours.make("ReduceLROnPlateau", given), mine.state_dict()
            mine.load_state_dict(state)
    with pytest.raises(ArgumentError, match="measurement"):
        mine.step()


def test_going_to_a_step() -> None:
    for name, given in SCHEDULES:
        if name == "SWALR":
            continue
        ours, theirs = sides()
        mine, torchs = ours.make(name, given), theirs.make(name, given)
        for epoch in (3, 1, 6):
            mine.step(epoch)
            torchs.step(epoch)
            assert flat(ours.now()) == pytest.approx(flat(theirs.now()), rel=1e-12), (name, given, epoch)


# ---- beyond PyTorch ----


def optimizer() -> optim.SGD:
    w, b = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    return optim.SGD([{"params": [w], "lr": 2.0}, {"params": [b]}], lr=1.0)


def rates(schedule: optim.LRScheduler, steps: int) -> list[list[float]]:
    result = [schedule.get_last_lr()]
    for _ in range(steps):
        schedule.step()
        result.append(schedule.get_last_lr())
    return result


CLOSED: dict[str, tuple[Callable[[optim.Optimizer], optim.LRScheduler], Callable[[int], float]]] = {
    "inverse time": (lambda o: optim.InverseTimeLR(o, 0.1), lambda k: 1 / (1 + 0.1 * k)),
    "floor": (lambda o: optim.ExponentialLR(o, 0.5, floor=0.2), lambda k: max(0.2, 0.5**k)),
    "warm-up and cosine": (
        lambda o: optim.WarmupCosineLR(o, 3, 9, 0.1),
        lambda k: (k + 1) / 4 if k < 3 else 0.1 + 0.45 * (1 + math.cos(math.pi * (min(k, 9) - 3) / 6)),
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name: str) -> None:
    make, formula = CLOSED[name]
    assert [r[1] for r in rates(make(optimizer()), 12)] == pytest.approx([formula(k) for k in range(13)])


def test_a_schedule_of_the_users() -> None:
    class Halving(optim.LRScheduler):
        def get_lr(self) -> list[float]:
            return [base / 2**self.last_epoch for base in self.base_lrs]

    assert rates(Halving(optimizer()), 2) == [[2.0, 1.0], [1.0, 0.5], [0.5, 0.25]]
    with pytest.raises(NotImplementedError, match="get_lr"):
        optim.LRScheduler(optimizer())


def test_the_rate_reaches_the_steps_and_traces_nothing_anew() -> None:
    o = optimizer()
    schedule = optim.LambdaLR(o, lambda step: 10.0**-step)
    (w,) = o.param_groups[1]["params"]

    @jit
    def step() -> None:
        o.zero_grad()
        w.sum().backward()
        o.step()

    for _ in range(4):
        step()
        schedule.step()
    assert w.item() == pytest.approx(1 - 1.111)
    assert len(step.traces) == 1


def test_objects_that_give_factors_are_part_of_the_state() -> None:
    class Decay:
        def __init__(self, base: float) -> None:
            self.base = base

        def __call__(self, step: int) -> float:
            return self.base**step

    a, b = optim.LambdaLR(optimizer(), Decay(0.5)), optim.LambdaLR(optimizer(), Decay(0.25))
    a.step()
    b.load_state_dict(a.state_dict())
    a.step()
    b.step()
    assert a.get_last_lr() == b.get_last_lr() == [0.5, 0.25]


NONSENSE: list[tuple[Callable[[optim.Optimizer], Any], type[Exception], str]] = [
    (lambda o: optim.WarmupCosineLR(o, 5, 3), ArgumentError, "warm-up"),
    (lambda o: optim.StepLR("sgd", 2), OperandError, "no optimizer"),  # type: ignore[arg-type]
    (lambda o: optim.LambdaLR(o, [lambda k: 1.0]), ArgumentError, "1 values for 2 groups"),
    (lambda o: optim.LambdaLR(o, 0.5), OperandError, "function of the step"),  # type: ignore[arg-type]
    (lambda o: optim.ConstantLR(o, 1.5), ArgumentError, "factor=1.5"),
    (lambda o: optim.LinearLR(o, 0.0), ArgumentError, "start_factor"),
    (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 0), ArgumentError, "T_0"),
    (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2).step(-1), ArgumentError, "negative"),
    (lambda o: lr_scheduler.CyclicLR(o, 0.1, 1.0, mode="square"), ArgumentError, "square"),
    (lambda o: lr_scheduler.OneCycleLR(o, 0.1), ArgumentError, "total_steps"),
    (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 0), ArgumentError, "total_steps"),
    (lambda o: rates(lr_scheduler.OneCycleLR(o, 0.1, 5), 6), ArgumentError, "beyond"),
    (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 5, pct_start=2), ArgumentError, "pct_start"),
    (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0), ArgumentError, "factor"),
    (lambda o: lr_scheduler.ReduceLROnPlateau(o, "least"), ArgumentError, "least"),
    (lambda o: lr_scheduler.SequentialLR(o, [optim.StepLR(o, 2)], [1]), ArgumentError, "milestones"),
    (lambda o: lr_scheduler.SequentialLR(o, [optim.StepLR(optimizer(), 2)], []), ArgumentError, "another optimizer"),
    (lambda o: lr_scheduler.ChainedScheduler([]), ArgumentError, "no schedules"),
    (lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ReduceLROnPlateau(o)]), ArgumentError, "measurement"),
    (lambda o: swa_utils.SWALR(o, 0.1, anneal_strategy="exp"), ArgumentError, "exp"),
    (lambda o: optim.StepLR(o, 2).load_state_dict({"last_epoch": 1}), ArgumentError, "last_epoch"),
    (
        lambda o: optim.StepLR(o, 2).load_state_dict({**optim.StepLR(o, 2).state_dict(), "_last_lr": [1.0]}),
        ArgumentError,
        "1 groups",
    ),
]


@pytest.mark.parametrize(("make", "error", "text"), NONSENSE, ids=[text for *_, text in NONSENSE])
def test_nonsense(make: Callable[[optim.Optimizer], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make(optimizer())


def test_a_rate_without_sense_changes_nothing() -> None:
    o = optimizer()
    schedule = optim.LambdaLR(o, lambda step: math.nan if step == 2 else 0.5)
    schedule.step()
    with pytest.raises(ArgumentError, match="step 2"):
        schedule.step()
    assert (schedule.last_epoch, schedule.get_last_lr(), o.param_groups[0]["lr"]) == (1, [1.0, 0.5], 1.0)


@pytest.mark.parametrize("buffers", [False, True])
@pytest.mark.parametrize("how", ["mean", "ema", "multi"])
def test_averaged_models(how: str, buffers: bool) -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    theirs.load_state_dict({name: torch.from_numpy(t.numpy()) for name, t in net.state_dict().items()})

    def averaged(utils: Any, model: Any) -> Any:
        given = {
            "ema": {"avg_fn": utils.get_ema_avg_fn(0.7)},
            "multi": {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.7)},
        }
        return utils.AveragedModel(model, use_buffers=buffers, **given.get(how, {}))

    mine, torchs = averaged(swa_utils, net), averaged(torch.optim.swa_utils, theirs)
    x = [[1.0, 2.0], [3.0, 5.0], [-1.0, 0.5]]
    for _ in range(3):
        net(Tensor(x))
        theirs(torch.tensor(x))
        with torch.no_grad():
            for p, q in zip(net.parameters(), theirs.parameters()):
                p.data = p.detach() * 1.5 + 0.25
                q.copy_(q * 1.5 + 0.25)
        mine.update_parameters(net)
        torchs.update_parameters(theirs)
    assert mine.n_averaged.item() == 3
    assert set(mine.state_dict()) == set(torchs.state_dict())
    for name, t in mine.module.state_dict().items():
        assert t.numpy() == pytest.approx(torchs.module.state_dict()[name].numpy(), rel=1e-5), name
    batches = [([[1.0, 2.0], [3.0, 5.0]],), ([[0.0, 1.0], [2.0, -5.0]],)]
    swa_utils.update_bn([(Tensor(b),) for (b,) in batches], mine)
    torch.optim.swa_utils.update_bn([(torch.tensor(b),) for (b,) in batches], torchs)
    assert mine.module[1].running_var.numpy() == pytest.approx(torchs.module[1].running_var.numpy(), rel=1e-5)
