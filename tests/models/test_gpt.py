"""The GPT against the same model in PyTorch, and what it generates."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from lazygrad import Tensor, dtypes, manual_seed, nn, no_grad, optim
from lazygrad.errors import ArgumentError, BoundsError, ShapeError
from lazygrad.models.gpt import GPT, GPTConfig
from lazygrad.settings import settings

TINY = GPTConfig(vocabulary=11, layers=2, heads=2, width=8, context=6)


@pytest.fixture(autouse=True)
def numpy_device() -> Iterator[None]:
    """What depends on no device runs on the one that compiles nothing; the fixture `device` overrides this."""
    with settings.override(device="NUMPY"):
        yield


class TorchGPT:
    """The model's definition in PyTorch's functions, on parameters of the same names."""

    def __init__(self, config: GPTConfig, parameters: dict[str, np.ndarray]) -> None:
        self.config = config
        self.p = {name: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}

    def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, self.p[f"{name}.weight"], self.p.get(f"{name}.bias"))

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (self.config.width,), self.p[f"{name}.weight"], self.p.get(f"{name}.bias"), 1e-5)

    def attention(self, x: torch.Tensor, name: str) -> torch.Tensor:
        batch, time, width = x.shape
        heads = self.config.heads
        q, k, v = self.linear(x, f"{name}.c_attn").split(width, dim=2)
        q, k, v = (t.view(batch, time, heads, width // heads).transpose(1, 2) for t in (q, k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // heads)
        future = torch.ones(time, time, dtype=torch.bool).triu(1)
        y = scores.masked_fill(future, -math.inf).softmax(-1) @ v
        return self.linear(y.transpose(1, 2).reshape(batch, time, width), f"{name}.c_proj")

    def __call__(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.p["wte.weight"][tokens] + self.p["wpe.weight"][: tokens.shape[1]]
        for i in range(self.config.layers):
            x = x + self.attention(self.norm(x, f"h.{i}.ln_1"), f"h.{i}.attn")
            x = x + self.linear(
                F.gelu(self.linear(self.norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")), f"h.{i}.mlp.c_proj"
            )
        return self.norm(x, "ln_f") @ self.p["wte.weight"].T


def _tokens(config: GPTConfig, batch: int, time: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(4)
    tokens = generator.integers(config.vocabulary, size=(batch, time + 1))
    return tokens[:, :-1].copy(), tokens[:, 1:].copy()


@pytest.mark.parametrize(("bias", "time"), [(True, 6), (False, 3)])
def test_logits_loss_and_every_gradient_equal_pytorch_s(bias: bool, time: int, device: str) -> None:
    config = GPTConfig(vocabulary=11, layers=2, heads=2, width=8, context=6, bias=bias)
    model = GPT(config).to(dtypes.float64)
    generator = np.random.default_rng(1)  # far from the first weights, where biases are 0 and gains 1
    values = {name: generator.standard_normal(p.shape) for name, p in model.named_parameters()}
    model.load_state_dict({name: Tensor(value) for name, value in values.items()})
    reference = TorchGPT(config, values)
    tokens, targets = _tokens(config, 3, time)

    expected = reference(torch.tensor(tokens))
    np.testing.assert_allclose(model(Tensor(tokens)).numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    expected_loss = F.cross_entropy(expected.reshape(-1, 11), torch.tensor(targets).reshape(-1))
    expected_loss.backward()
    loss = model.loss(Tensor(tokens), Tensor(targets))
    loss.backward()
    Tensor.realize(loss, *(p.grad for p in model.parameters() if p.grad is not None))  # one schedule, not one each
    np.testing.assert_allclose(loss.item(), expected_loss.item(), rtol=1e-12)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        wanted = reference.p[name].grad
        assert wanted is not None
        np.testing.assert_allclose(parameter.grad.numpy(), wanted.numpy(), rtol=1e-12, atol=1e-12, err_msg=name)


def test_the_first_weights_are_nanogpt_s() -> None:
    manual_seed(3)
    model = GPT(GPTConfig(vocabulary=200, layers=3, heads=2, width=64, context=100, bias=True))
    for name, parameter in model.named_parameters():
        values = parameter.numpy()
        if values.ndim == 1:
            np.testing.assert_array_equal(values, 0.0 if name.endswith("bias") else 1.0)
            continue
        std = 0.02 / math.sqrt(6) if name.endswith("c_proj.weight") else 0.02
        assert abs(values.std() / std - 1) < 0.05, name
        assert abs(values.mean()) < 0.05 * std, name
    loss = model.loss(*map(Tensor, _tokens(model.config, 4, 100)))
    assert abs(loss.item() - math.log(200)) < 0.1


def test_a_seed_decides_the_first_weights() -> None:
    def weights(seed: int) -> list[np.ndarray]:
        manual_seed(seed)
        return [p.numpy() for p in GPT(TINY).parameters()]

    for a, b, c in zip(weights(5), weights(5), weights(6)):
        np.testing.assert_array_equal(a, b)
        assert a.ndim == 1 or np.abs(a - c).max() > 0


def test_the_size_is_nanogpt_s() -> None:
    assert GPT(GPTConfig(vocabulary=65)).parameter_count() == 804_096
    names = [name for name, _ in GPT(GPTConfig(vocabulary=65, layers=1, bias=True)).named_parameters()]
    assert sorted(names) == sorted(
        ["wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias"]
        + [
            f"h.0.{part}.{kind}"
            for part in ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
            for kind in ("weight", "bias")
        ]
    )


def test_a_future_token_cannot_change_the_past() -> None:
    model = GPT(TINY)
    tokens, _ = _tokens(TINY, 1, 6)
    changed = tokens.copy()
    changed[0, 4] = (changed[0, 4] + 1) % 11
    before, after = model(Tensor(tokens)).numpy(), model(Tensor(changed)).numpy()
    np.testing.assert_array_equal(before[0, :4], after[0, :4])
    assert np.abs(before[0, 4:] - after[0, 4:]).max() > 1e-6


def test_training_reduces_the_loss() -> None:
    manual_seed(0)
    model = GPT(TINY)
    optimizer = optim.AdamW(list(model.parameters()), lr=1e-2)
    tokens, targets = map(Tensor, _tokens(TINY, 4, 6))
    losses = []
    for _ in range(40):
        loss = model.loss(tokens, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(11), abs=0.1)
    assert losses[-1] < 0.5 * losses[0]


def test_dropout_acts_in_training_only() -> None:
    model = GPT(GPTConfig(vocabulary=11, layers=1, heads=2, width=8, context=6, dropout=0.5))
    tokens = Tensor(_tokens(TINY, 2, 6)[0])
    first, second = model(tokens).numpy(), model(tokens).numpy()
    assert np.abs(first - second).max() > 0
    model.eval()
    np.testing.assert_array_equal(model(tokens).numpy(), model(tokens).numpy())
    model.train()
    list(model.generate([1], 1))
    assert model.training
    assert model.h[0].attn.drop.training


# ---- generation ----


def _naive_greedy(model: GPT, tokens: list[int], count: int) -> list[int]:
    """One forward of just the tokens that there are, for each new token."""
    for _ in range(count):
        with no_grad():
            logits = model(Tensor(np.array([tokens[-model.config.context :]])))
        tokens = [*tokens, int(logits.numpy()[0, -1].argmax())]
    return tokens


@pytest.fixture
def sharp() -> GPT:
    """A model whose logits differ much from token to token and from context to context."""
    return sharp_model()


def sharp_model() -> GPT:
    manual_seed(9)
    model = GPT(TINY)
    generator = np.random.default_rng(2)
    values = {name: generator.standard_normal(p.shape) for name, p in model.named_parameters()}
    model.load_state_dict({name: Tensor(value.astype(np.float32)) for name, value in values.items()})
    return model.eval()


@pytest.mark.parametrize("length", [1, 3, 6, 7, 20])
def test_greedy_generation_is_the_naive_one(sharp: GPT, length: int) -> None:
    """For prompts shorter and longer than the context."""
    prompt = np.random.default_rng(length).integers(11, size=length).tolist()
    assert prompt + list(sharp.generate(prompt, 10, temperature=0)) == _naive_greedy(sharp, prompt, 10)


def test_every_device_generates_the_same(device: str) -> None:
    model = sharp_model()
    assert model.device == device
    prompt = [1, 2, 3, 4, 5, 6, 7]
    assert prompt + list(model.generate(prompt, 10, temperature=0)) == _naive_greedy(model, prompt, 10)


def test_the_next_logits_are_those_of_a_plain_forward(sharp: GPT) -> None:
    for tokens in ([3], [1, 2, 3], [1, 2, 3, 4, 5, 6], [9, 9, 1, 2, 3, 4, 5, 6]):
        with no_grad():
            expected = sharp(Tensor(np.array([tokens[-6:]]))).numpy()[0, -1]
        np.testing.assert_allclose(sharp.next_logits(tokens), expected, rtol=1e-5, atol=1e-5)


def test_every_token_of_the_prompt_counts(sharp: GPT) -> None:
    prompt = [1, 2, 3, 4, 5]
    base = sharp.next_logits(prompt)
    for i in range(len(prompt)):
        changed = [*prompt[:i], 10, *prompt[i + 1 :]]
        assert np.abs(sharp.next_logits(changed) - base).max() > 1e-3, i


def test_top_k_is_respected_at_every_step(sharp: GPT) -> None:
    tokens = [1]
    for token in sharp.generate(tokens, 60, temperature=5.0, top_k=2, generator=np.random.default_rng(0)):
        best_two = np.argsort(-sharp.next_logits(tokens), kind="stable")[:2]
        assert token in best_two
        tokens.append(token)
    greedy = list(sharp.generate([1], 20, temperature=0))
    assert list(sharp.generate([1], 20, temperature=2.0, top_k=1)) == greedy
    assert tokens[1:21] != greedy


def test_a_seed_gives_the_same_text_and_it_is_streamed(sharp: GPT) -> None:
    def text(seed: int) -> list[int]:
        return list(sharp.generate([1, 2], 30, generator=np.random.default_rng(seed)))

    assert text(1) == text(1) != text(2)
    stream = sharp.generate([1], 10_000_000, temperature=0)
    assert isinstance(next(stream), int)  # the first comes before the last is known
    assert list(sharp.generate([1], 0)) == []


def test_generation_follows_the_weights_as_they_change() -> None:
    manual_seed(1)
    model = GPT(TINY)
    before = model.next_logits([1, 2])
    model.load_state_dict({name: p * 3 for name, p in model.state_dict().items()})
    after = model.next_logits([1, 2])
    assert np.abs(after - before).max() > 1e-3
    with no_grad():
        np.testing.assert_allclose(after, model(Tensor([[1, 2]])).numpy()[0, -1], rtol=1e-4, atol=1e-5)


# ---- errors ----


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 10, "heads": 4}, "width 10 does not divide among 4 heads; use a multiple of the heads, such as 12"),
        ({"layers": 0}, "layers is 0; a GPT needs at least 1"),
        ({"context": -1}, "context is -1; a GPT needs at least 1"),
        ({"dropout": 1.0}, "dropout is 1.0; use a probability from 0 to below 1"),
    ],
)
def test_sizes_are_checked(sizes: dict[str, float], message: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        GPTConfig(vocabulary=5, **sizes)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_what_does_not_fit_is_told() -> None:
    model = GPT(TINY)
    with pytest.raises(ShapeError, match=r"time at most 6; these have shape \(2, 7\): keep the last 6"):
        model(Tensor(np.zeros((2, 7), np.int64)))
    with pytest.raises(ShapeError, match=r"tokens of shape \(batch, time\)"):
        model(Tensor(np.zeros(3, np.int64)))
    with pytest.raises(ArgumentError, match="these are 0 tokens and 5"):
        model.generate([], 5)
    with pytest.raises(BoundsError, match=r"token 11, outside the vocabulary's 0\.\.10"):
        model.generate([1, 11], 5)
    with pytest.raises(ArgumentError, match="top_k is 0"):
        model.generate([1], 5, top_k=0)
    assert isinstance(model, nn.Module)
