"""Sizes and positions bound at launch: one plan for all values, in this process and from the disk."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lazygrad import Tensor, Variable, jit, nn, optim
from lazygrad.engine import run
from lazygrad.engine.counters import counters
from lazygrad.errors import JitError
from lazygrad.index.expr import lift
from lazygrad.index.record import record, restored
from lazygrad.settings import settings
from tests.index.trees import random_tree, simplified

Data = NDArray[Any]
ROWS, MOST = 5, 70
N, M = Variable("n", 0, MOST), Variable("m", 1, 40)


def floats(*shape: int) -> Data:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


X, Y = floats(ROWS, MOST), floats(40, MOST)
PROGRAMS: dict[str, Callable[[Any, Any], Any]] = {  # of x (5, n) and y (m, n)
    "chain": lambda x, y: (x * 2 + 1).reshape(-1).exp(),
    "all": lambda x, y: x.sum() + y.square().sum(),
    "rows": lambda x, y: x.softmax(-1).sum(0),
    "along and across": lambda x, y: (y - y.mean(1, keepdim=True)).sum(0),
    "contraction, rows": lambda x, y: (y @ x.T).relu() + 1,
    "contraction, depth": lambda x, y: x @ y.T,
    "contraction, both": lambda x, y: (y.T @ y).sum(1),
    "joined": lambda x, y: Tensor.zeros(1).expand(x.shape[1]) + y.pad((1, 0)).sum(0)[1:],
    "prefix": lambda x, y: y.cumsum(0).amax(0),
    "counts": lambda x, y: Tensor.arange(40)[: y.shape[0]] * y.shape[0] + y.shape[1],
}


@pytest.fixture(params=["NUMPY", "OPENCL", "OPENCL as a GPU"])
def anywhere(request: pytest.FixtureRequest) -> Iterator[str]:
    name, _, gpu = request.param.partition(" as a ")
    with settings.override(device=name, **({"target": "gpu"} if gpu else {})):
        yield name


def test_every_value_has_one_plan(anywhere: str) -> None:
    x, y = Tensor(X).realize(), Tensor(Y).realize()
    names = list(PROGRAMS)
    plans: list[int] = []
    for n, m in ((17, 9), (1, 1), (MOST, 40), (64, 31), (2, 40)):
        before = counters.schedules - counters.plan_hits
        results = [PROGRAMS[k](x[:, : N.bind(n)], y[: M.bind(m), : N.bind(n)]) for k in names]
        Tensor.realize(*results)
        plans.append(counters.schedules - counters.plan_hits - before)
        with settings.override(device="NUMPY"):
            expected = [PROGRAMS[k](Tensor(X[:, :n]), Tensor(Y[:m, :n])).numpy() for k in names]
        for name, got, want in zip(names, results, expected):
            assert tuple(map(int, got.shape)) == got.numpy().shape == want.shape, name
            np.testing.assert_allclose(got.numpy(), want, 1e-10, 1e-10, err_msg=f"{name} of {n}, {m}")
    assert plans[1:] == [0] * 4, "another value was another plan"


def test_nothing_is_a_size(anywhere: str) -> None:
    x = Tensor(X).realize()[:, : N.bind(0)]
    assert x.numpy().shape == (ROWS, 0)
    assert x.sum().item() == 0 and x.sum(1).tolist() == [0.0] * ROWS and x.prod().item() == 1
    assert (x @ x.T).numpy().tolist() == np.zeros((ROWS, ROWS)).tolist()
    assert (x.T @ x).numpy().shape == (0, 0)
    assert x.cumsum(1).add(1).numpy().shape == (ROWS, 0)


def test_two_variables_of_one_name(anywhere: str) -> None:
    x = Tensor(X).realize()
    for a, b in ((3, 5), (5, 3), (4, 4)):
        total = x[:, : N.bind(a)].sum(1) - x[:, : N.bind(b)].sum(1)
        np.testing.assert_allclose(total.numpy(), X[:, :a].sum(1) - X[:, :b].sum(1), 1e-12, 1e-12)


def test_a_result_is_read_again_at_its_own_size(anywhere: str) -> None:
    x = Tensor(X).realize()
    kept = [(x[:, : N.bind(n)] * 3).realize() for n in (4, 9)]
    for t, n in zip(kept, (4, 9)):
        np.testing.assert_allclose((t + 1).numpy(), X[:, :n] * 3 + 1)
        assert t.shape == (ROWS, N.bind(n))


def test_small_kernels_in_one_launch() -> None:
    """Elementwise kernels of different variable sizes run side by side."""
    with settings.override(device="OPENCL"):
        x, y = Tensor(X).realize(), Tensor(Y).realize()
        for n, m in ((7, 3), (MOST, 40), (0, 1)):
            before = counters.kernels
            a, b, c = x[:, : N.bind(n)] * 2, y[: M.bind(m)] + 1, y * 5
            Tensor.realize(a, b, c)
            assert counters.kernels - before == 1
            np.testing.assert_array_equal(a.numpy(), X[:, :n] * 2)
            np.testing.assert_array_equal(b.numpy(), Y[:m] + 1)
            np.testing.assert_array_equal(c.numpy(), Y * 5)


def test_plans_come_back_from_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def compute(n: int) -> Data:
        a = Tensor(X, device="OPENCL").realize()[:, : N.bind(n)]
        return (a.T @ a).sum(1).div(a.shape[1]).add(a.sum(0)).numpy()

    compute(30)
    for n in (30, 11):
        monkeypatch.setattr(run, "_runners", {})  # as in another process
        before = counters.stored_plans, counters.schedules
        got = compute(n)
        assert (counters.stored_plans, counters.schedules) == (before[0] + 1, before[1] + 1)
        np.testing.assert_allclose(got, (X[:, :n].T @ X[:, :n]).sum(1) / n + X[:, :n].sum(0), 1e-12, 1e-12)


def test_another_range_of_a_name_is_another_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory and kernels are made for the largest value: what differs in bounds alone shares no plan and no name."""
    with settings.override(device="OPENCL"):
        x = Tensor(np.tile(X, (1, 40))).realize()
        for most in (8, 2000, 30):
            n = Variable("n", 1, most).bind(most)
            y = x[:, :n].exp().contiguous().cumsum(1).contiguous().flip(1)
            small, z = (x[:1, :n] * 2, x[1:2, :n] + 1)  # in one launch
            total = y.sum(1)
            Tensor.realize(total, small, z)
            want = np.tile(X, (1, 40))[:, :most]
            np.testing.assert_allclose(total.numpy(), np.exp(want).cumsum(1).sum(1), 1e-12)
            np.testing.assert_array_equal(small.numpy(), want[:1] * 2)
            np.testing.assert_array_equal(z.numpy(), want[1:2] + 1)
            monkeypatch.setattr(run, "_runners", {})  # as in another process
        kernels = [(x[:, : Variable("n", 1, most)] * 2).schedule()[0].name for most in (8, 2000)]
        assert kernels[0] != kernels[1]


@pytest.mark.parametrize("seed", range(40))
def test_expressions_survive_a_file(seed: int) -> None:
    rng = random.Random(seed)
    variables = [Variable(name, lo, lo + rng.choice((1, 7, 30))) for name, lo in (("a", 0), ("b", 1), ("c", 5))]
    tree = random_tree(rng, variables, [lift(2), lift(5)], 4)
    e = simplified(tree)
    assert restored(record(e)) is e


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_names_that_compilers_know(target: str) -> None:
    """Words, types, macros and functions of kernel languages, names of generated code, and letters beyond ASCII."""
    names = "n_1 int double4 NULL M_PI get_group_id max fma step in0 out0 o0 r0 acc0 item group λ _ self"
    with settings.override(device="OPENCL", target=target):
        x = Tensor(X).realize()
        sizes = [Variable(name, 1, MOST).bind(9) for name in names.split()]
        results = [(x[:, :n].exp().sum(0) + x[:, :n].mean() + n) for n in sizes]
        Tensor.realize(*results)
        want = np.exp(X[:, :9]).sum(0) + X[:, :9].mean() + 9
        for n, result in zip(sizes, results):
            np.testing.assert_allclose(result.numpy(), want, 1e-12, err_msg=n.name)


FROM: dict[str, Callable[[Any], Any]] = {  # what is left of x (5, 70) from a position on
    "flat": lambda x: (x.reshape(-1) * 2).exp(),
    "turned": lambda x: x.T.reshape(-1) + 1,
    "sums": lambda x: x.sum(0),
    "all": lambda x: x.square().sum(),
    "contraction": lambda x: x @ x.T,
    "outer": lambda x: (x.T @ x).reshape(-1),
    "prefix": lambda x: x.cumsum(1).flip(0),
}


def test_what_is_left_may_be_nothing(anywhere: str) -> None:
    """Sizes that are 0 where no variable is, and sizes of which only their values show that they are not negative."""
    x, rows = Tensor(X).realize(), Variable("r", 0, ROWS)
    for r, n in ((2, 30), (ROWS, 3), (0, MOST), (ROWS, MOST), (0, 0), (4, 69)):
        left = x[rows.bind(r) :, N.bind(n) :]
        results = [f(left) for f in FROM.values()]
        Tensor.realize(*results)
        with settings.override(device="NUMPY"):
            expected = [f(Tensor(X[r:, n:])).numpy() for f in FROM.values()]
        for name, got, want in zip(FROM, results, expected):
            np.testing.assert_allclose(got.numpy(), want, 1e-10, 1e-10, err_msg=f"{name} of {r}, {n}")


# ---- jit -------------------------------------------------------------------------------------------


def attention(x: Tensor, weights: list[Tensor], keys: Tensor, values: Tensor, at: Any) -> Tensor:
    """One step of decoding: the key and value of `x` go to place `at` of the caches, and it attends to all so far."""
    heads, width = int(keys.shape[0]), int(keys.shape[2])
    q, k, v = ((x @ w).reshape(heads, 1, width) for w in weights)
    keys[:, at : at + 1], values[:, at : at + 1] = k, v
    return q.scaled_dot_product_attention(keys[:, : at + 1], values[:, : at + 1]).reshape(-1)


def test_decoding_compiles_once(device: str) -> None:
    """A growing cache: every position runs the kernels that the second one was traced to."""
    length, heads, width = 20, 2, 4
    size = heads * width
    weights, tokens = [floats(size, size) * 0.5 for _ in range(3)], floats(length, size)
    pos = Variable("pos", 0, length - 1)
    keys, values = (Tensor.zeros(heads, length, width, dtype=Tensor(tokens).dtype) for _ in range(2))
    ours = [Tensor(w) for w in weights]
    step = jit(lambda x, at: attention(x, ours, keys, values, at))
    got = []
    for i in range(length):
        before = counters.schedules
        got.append(step(Tensor(tokens[i]), pos.bind(i)).numpy())
        assert i < 2 or counters.schedules == before
    assert len(step.traces) == 1
    q, k, v = ((tokens @ w).reshape(length, heads, width).transpose(1, 0, 2) for w in weights)
    scores = np.where(np.tril(np.ones((length, length))), q @ k.transpose(0, 2, 1) / np.sqrt(width), -np.inf)
    e = np.exp(scores - scores.max(-1, keepdims=True))
    want = (e / e.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(length, size)
    np.testing.assert_allclose(got, want, 1e-12, 1e-12)


def test_training_on_batches_of_any_size(device: str) -> None:
    """A jitted step over variable batches is the plain step over known ones."""
    batch = Variable("batch", 1, 16)
    data, targets = floats(16, 6), floats(16, 3)
    losses: list[list[float]] = []
    for variable in (True, False):
        rng = np.random.default_rng(0)
        layer = nn.Linear(6, 3)
        for p in layer.parameters():
            p.requires_grad_(False)
            p.assign(Tensor(rng.standard_normal(tuple(map(int, p.shape))) * 0.3).cast(p.dtype)).requires_grad_()
        sgd = optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)

        def step(x: Tensor, y: Tensor, layer: nn.Linear = layer, sgd: optim.SGD = sgd) -> Tensor:
            sgd.zero_grad()
            loss = (layer(x).tanh() - y).square().mean()
            loss.backward()
            sgd.step()
            return loss.detach()

        train = jit(step) if variable else step
        x, y = Tensor(data.astype(np.float32)), Tensor(targets.astype(np.float32))
        run_of = []
        for n in (16, 3, 1, 8, 5, 16, 2):
            size = batch.bind(n) if variable else n
            run_of.append(train(x[:size], y[:size]).item())
        losses.append(run_of)
        assert not variable or len(train.traces) == 1  # type: ignore[union-attr]
    np.testing.assert_allclose(losses[0], losses[1], 1e-5)


def test_training_on_sequences_of_any_size(anywhere: str) -> None:
    """Batch and time are variable: the jitted step, its losses and its weights are those of the plain one."""
    rng = np.random.default_rng(0)
    classes, width = 11, 6
    tokens = rng.integers(0, classes, (2, 4, 9))
    start = {"e": (classes, width), "qkv": (width, 3 * width), "out": (width, classes)}
    weights = {k: rng.standard_normal(shape) * 0.5 for k, shape in start.items()}
    ends: list[list[Data]] = []
    for variable in (True, False):
        with settings.override(**({} if variable else {"device": "NUMPY"})):
            w = {k: Tensor(v, requires_grad=True) for k, v in weights.items()}
            adam = optim.AdamW(list(w.values()), lr=0.01)

            def step(x: Tensor, y: Tensor, w: dict[str, Tensor] = w, adam: optim.AdamW = adam) -> Tensor:
                adam.zero_grad()
                h = w["e"].embedding(x)
                q, k, v = (h.layer_norm(width) @ w["qkv"]).split([width] * 3, -1)
                h = h + q.scaled_dot_product_attention(k, v, is_causal=True)
                loss = (h @ w["out"]).reshape(-1, classes).cross_entropy(y.reshape(-1))
                loss.backward()
                adam.step()
                return loss.detach()

            train = jit(step) if variable else step
            x, y = (Tensor(t).realize() for t in tokens)
            losses = []
            for b, t in ((4, 9), (1, 1), (3, 7), (4, 1), (1, 9), (2, 3)):
                batch, time = (Variable("b", 1, 4).bind(b), Variable("t", 1, 9).bind(t)) if variable else (b, t)
                losses.append(train(x[:batch, :time], y[:batch, :time]).numpy())
            ends.append([np.array(losses), *(p.numpy() for p in w.values())])
    for got, want in zip(*ends):
        np.testing.assert_allclose(got, want, 1e-8, 1e-8)


def test_sizes_are_part_of_results(device: str) -> None:
    step = jit(lambda x, n: (x[:n] * 2, n + 1))
    for n in (3, 4, 7, 2):
        value, more = step(Tensor(np.arange(8.0)), Variable("n", 1, 8).bind(n))
        assert value.tolist() == [2.0 * k for k in range(n)] and int(more) == n + 1
        assert value.add(1).sum().item() == n * n


def test_another_range_or_pattern_is_another_kind(device: str) -> None:
    f = jit(lambda x, a, b: x[:a].sum() - x[:b].sum())
    x, n = Tensor(np.arange(8.0)), Variable("n", 1, 8)
    sums = np.concatenate([[0], np.cumsum(np.arange(8.0))])
    for a, b in ((3, 5), (4, 4), (5, 3), (6, 6), (2, 7), (1, 1), (8, 2)):
        assert f(x, n.bind(a), n.bind(b)).item() == sums[a] - sums[b]
    assert len(f.traces) == 2  # equal and different values


def test_a_value_bound_inside_cannot_be_traced(device: str) -> None:
    f = jit(lambda x: x[: Variable("n", 1, 8).bind(3)] * 2)
    x = Tensor(np.arange(8.0))
    assert f(x).tolist() == [0.0, 2.0, 4.0]
    with pytest.raises(JitError, match="n has a value inside the traced function"):
        f(x)
