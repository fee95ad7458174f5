"""Rows of tables against PyTorch: every setting, ties, empty bags, in-place limits, jit, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as theirs

from lazygrad import Tensor, jit, nn
from lazygrad.errors import ArgumentError, BoundsError, DTypeError, OperandError, ShapeError
from lazygrad.nn import functional as ours

TABLE = np.random.default_rng(0).integers(-3, 4, (6, 3)).astype("float64")  # with ties
TABLE[5] = -np.inf
VECTORS: list[tuple[list[int], list[int]]] = [
    ([0, 1, 2, 1, 0, 4], [0, 2, 2, 5]), ([1, 1, 1], [0, 0, 0]), ([], [0, 0]), ([3, 4, 5, 0], [0, 4]), ([2, 0], []),
]  # fmt: skip
MATRICES = [[[0, 1, 2], [1, 1, 4]], [[1, 1]], [[5], [5], [0]]]


def both(given: Any, offsets: Any, table: np.ndarray[Any, Any] = TABLE, **options: Any) -> None:
    """Bags of both sides: values, gradients, and the table afterwards."""
    w, v = Tensor(table, requires_grad=True), torch.tensor(table, requires_grad=True)
    index = np.asarray(given, dtype="int64")
    kwargs: list[dict[str, Any]] = [dict(options), dict(options)]
    if offsets is not None:
        ends = np.asarray([*offsets, len(index)] if options.get("include_last_offset") else offsets, "int64")
        for kw, make in zip(kwargs, (Tensor, torch.tensor)):
            kw["offsets"] = make(ends)
    pairs = [(w, v)]
    if "per_sample_weights" in options:
        factors = np.random.default_rng(1).normal(size=index.shape)
        for kw, make in zip(kwargs, (Tensor, torch.tensor)):
            kw["per_sample_weights"] = make(factors, requires_grad=True)
        pairs.append((kwargs[0]["per_sample_weights"], kwargs[1]["per_sample_weights"]))
    a, b = ours.embedding_bag(Tensor(index), w, **kwargs[0]), theirs.embedding_bag(torch.tensor(index), v, **kwargs[1])
    np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-12, err_msg=str((given, offsets, options)))
    factor = np.arange(1, a.numel() + 1).reshape(a.shape)
    (a * Tensor(factor)).sum().backward()
    (b * torch.tensor(factor)).sum().backward()
    for x, y in pairs:
        gradient = np.zeros(x.shape) if x.grad is None else x.grad.numpy()
        np.testing.assert_allclose(gradient, y.grad.numpy(), rtol=1e-10, err_msg=str((given, offsets, options)))
        np.testing.assert_allclose(x.numpy(), y.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding_idx", [None, 1, -2])
def test_bags(mode: str, padding_idx: int | None) -> None:
    options: dict[str, Any] = {"mode": mode, "padding_idx": padding_idx}
    table = TABLE if mode == "max" else np.nan_to_num(TABLE, neginf=-4)
    bags: list[tuple[Any, Any]] = [*VECTORS, *((m, None) for m in MATRICES)]
    if mode == "max" and padding_idx is not None:
        bags.remove(VECTORS[1])  # PyTorch looks for a maximum of bags without any
    for given, offsets in bags:
        if not offsets and offsets is not None and given:
            continue  # elements in no bag at all
        both(given, offsets, table, **options)
        if offsets:
            both(given, offsets, table, **options, include_last_offset=True)
        if mode != "max":
            both(given, offsets, table, **options, max_norm=2.0, norm_type=1.0)
        if mode == "sum":
            both(given, offsets, table, **options, per_sample_weights=True)


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_gradients_divided_by_frequencies(mode: str) -> None:
    """By what PyTorch says it does; on the CPU it takes the counts of other rows."""
    index, offsets = Tensor([0, 1, 2, 1, 0, 4]), Tensor([0, 2, 2, 5])
    tables = [Tensor(np.ones((6, 3)), requires_grad=True) for _ in range(2)]
    for table, by_freq in zip(tables, (True, False)):
        ours.embedding_bag(index, table, offsets, mode=mode, scale_grad_by_freq=by_freq).square().sum().backward()
    counts = np.array([2, 2, 1, 1, 1, 1])[:, None]
    np.testing.assert_allclose(tables[0].grad.numpy(), tables[1].grad.numpy() / counts, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_dtypes_of_indices(dtype: str) -> None:
    index, offsets = Tensor([1, 0, 2], dtype=dtype), Tensor([0, 1], dtype=dtype)
    table = Tensor(TABLE)
    assert ours.embedding(index, table).tolist() == TABLE[[1, 0, 2]].tolist()
    assert ours.embedding_bag(index, table, offsets, mode="sum").tolist() == [
        TABLE[1].tolist(), (TABLE[0] + TABLE[2]).tolist(),
    ]  # fmt: skip


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,), (2, 0)])
def test_rows(shape: tuple[int, ...]) -> None:
    index = np.random.default_rng(0).integers(0, 6, shape)
    settings = itertools.product((None, 0, -1), (None, 1.5), (1.0, 2.0, float("inf")), (False, True))
    for padding_idx, max_norm, norm_type, by_freq in settings:
        table = np.nan_to_num(TABLE, neginf=-4) if max_norm else TABLE
        how = (padding_idx, max_norm, norm_type, by_freq)
        w, v = Tensor(table, requires_grad=True), torch.tensor(table, requires_grad=True)
        a, b = ours.embedding(Tensor(index), w, *how), theirs.embedding(torch.tensor(index), v, *how)
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-12)
        factor = np.arange(a.numel()).reshape(a.shape) + 1.0
        (a * Tensor(factor)).where(a > -9, 0.0).sum().backward() if a.numel() else None
        torch.where(b > -9, b * torch.tensor(factor), 0.0).sum().backward()
        if a.numel():
            np.testing.assert_allclose(w.grad.numpy(), v.grad.numpy(), rtol=1e-12)
        np.testing.assert_allclose(w.numpy(), v.detach().numpy(), rtol=1e-12)


def test_layers_as_pytorch() -> None:
    cases: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("Embedding", (4, 3, -1, 1.0, 3.0, True, True), {}),
        ("Embedding", (4, 3), {"dtype": "float64"}),
        ("EmbeddingBag", (4, 3, 2.0, 1.0, True, "sum", True), {"padding_idx": 0}),
        ("EmbeddingBag", (4, 3), {"mode": "max", "include_last_offset": True}),
    ]
    for name, args, kwargs in cases:
        made = getattr(nn, name)(*args, **kwargs)
        expected = getattr(torch.nn, name)(*args, **{k: v for k, v in kwargs.items() if k != "dtype"})
        assert repr(made) == repr(expected)
        assert [(k, v.shape) for k, v in made.state_dict().items()] == [
            (k, tuple(v.shape)) for k, v in expected.state_dict().items()
        ]
        if made.padding_idx is not None:
            assert not made.weight[made.padding_idx].numpy().any()
    big = nn.Embedding(2000, 4)
    assert abs(float(big.weight.mean())) < 0.05 and abs(float(big.weight.std()) - 1) < 0.05
    before = big.weight
    big.reset_parameters()
    assert big.weight is before


def test_pretrained() -> None:
    table = Tensor(TABLE, dtype="float32")
    layer = nn.Embedding.from_pretrained(table, padding_idx=1)
    assert [p.requires_grad for p in layer.parameters()] == [False]
    assert layer(Tensor([1])).tolist() == TABLE[1:2].tolist(), "the row is as it was given"
    bag = nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="sum", include_last_offset=True)
    assert bag.weight.requires_grad and bag.weight is not table
    assert bag(Tensor([1, 0]), Tensor([0, 2])).tolist() == (TABLE[:1] + TABLE[1:2]).tolist()
    with pytest.raises(ShapeError, match="a matrix"):
        nn.Embedding.from_pretrained(table[0])
    with pytest.raises(ShapeError, match=r"\[6, 3\] for sizes \[2, 3\]"):
        nn.Embedding(2, 3, _weight=table)


def test_jit_and_limits_in_place(device: str) -> None:
    a, b = (nn.Embedding(5, 3, max_norm=1.0, padding_idx=0, device=device) for _ in range(2))
    b.load_state_dict(a.state_dict())
    jitted = jit(lambda i: a(i))
    for _ in range(3):
        for index in ([1, 2], [0, 4]):
            i = Tensor(index, device=device)
            np.testing.assert_allclose(jitted(i).numpy(), b(i).numpy(), rtol=1e-6)
    np.testing.assert_allclose(a.weight.numpy(), b.weight.numpy(), rtol=1e-6)
    assert np.linalg.norm(a.weight.numpy()[[1, 2, 4]], axis=1).max() <= 1 + 1e-6
    a.max_norm = 0.1
    assert np.linalg.norm(jitted(Tensor([1, 3], device=device)).numpy(), axis=1) == pytest.approx(0.1, rel=1e-4)


def test_bags_on_kernels() -> None:
    table = Tensor(TABLE, device="OPENCL", requires_grad=True)
    index, offsets = Tensor([0, 1, 2, 1], device="OPENCL"), Tensor([0, 3], device="OPENCL")
    assert len(ours.embedding_bag(index.reshape(2, 2), table, mode="sum").schedule()) == 1, "rows are added as read"
    results = [ours.embedding_bag(index, table, offsets, mode=mode, padding_idx=1) for mode in ("sum", "mean", "max")]
    sum((r.sum() for r in results), Tensor(0.0, device="OPENCL")).backward()
    given = [torch.tensor(t.numpy()) for t in (index, offsets)]
    other = torch.tensor(TABLE, requires_grad=True)
    expected = [
        theirs.embedding_bag(given[0], other, given[1], mode=mode, padding_idx=1) for mode in ("sum", "mean", "max")
    ]
    sum(e.sum() for e in expected).backward()  # type: ignore[union-attr]
    Tensor.realize(*results, table.grad)
    for r, e in zip(results, expected):
        np.testing.assert_allclose(r.numpy(), e.detach().numpy())
    np.testing.assert_allclose(table.grad.numpy(), other.grad.numpy())


def test_errors() -> None:
    w, i, o = Tensor(TABLE), Tensor([0, 1, 2]), Tensor([0, 1])
    bag = ours.embedding_bag
    for call, error, match in (
        (lambda: ours.embedding(i, w, padding_idx=6), BoundsError, "padding_idx 6"),
        (lambda: ours.embedding(i.double(), w), DTypeError, "integer"),
        (lambda: ours.embedding([0], w), OperandError, "takes a Tensor"),  # type: ignore[arg-type]
        (lambda: ours.embedding(i, w[0]), ShapeError, "matrix"),
        (lambda: ours.embedding(Tensor([6]), w).numpy(), BoundsError, "6"),
        (lambda: bag(i, w), ShapeError, "without offsets"),
        (lambda: bag(i.reshape(1, 3), w, o), ShapeError, "without offsets"),
        (lambda: bag(i, w, o.reshape(1, 2)), ShapeError, "a vector"),
        (lambda: bag(i, w, o, mode="min"), ArgumentError, "mode is"),
        (lambda: bag(i, w, o, mode="max", scale_grad_by_freq=True), ArgumentError, "neither"),
        (lambda: bag(i, w, o, mode="max", sparse=True), ArgumentError, "neither"),
        (lambda: bag(i, w, o, per_sample_weights=w[:3, 0]), NotImplementedError, "'mean'"),
        (lambda: bag(i, w, o, mode="sum", per_sample_weights=w[:2, 0]), ShapeError, "per_sample_weights of shape"),
        (lambda: bag(i, w, o, mode="sum", per_sample_weights=w[:3, 0].float()), DTypeError, "the table is float64"),
        (lambda: bag(i, w, Tensor([1, 2]), mode="sum").numpy(), BoundsError, "-1"),
        (lambda: nn.Embedding(4, 3, padding_idx=4), BoundsError, "padding_idx 4"),
        (lambda: nn.EmbeddingBag(4, 3, padding_idx=-5), BoundsError, "padding_idx -5"),
        (lambda: nn.Embedding(-1, 3), ShapeError, "negative"),
    ):
        with pytest.raises(error, match=match):
            call()  # type: ignore[no-untyped-call]
