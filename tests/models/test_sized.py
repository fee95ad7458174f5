"""Encoder-decoder, recurrent, convolutional and plain nets against PyTorch's and Transformers'."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file as save_torch
from torch.nn import functional as F  # noqa: N812

from lazygrad import Tensor, dtypes, manual_seed, nn, no_grad
from lazygrad.errors import ArgumentError, FileFormatError, ShapeError
from lazygrad.io import load_file
from lazygrad.models import GPT, MLP, GPTConfig, LeNet5, ResNet, ResNetConfig, RNNLanguageModel, Transformer
from lazygrad.models.pretrained import Pretrained
from lazygrad.settings import settings

transformers = pytest.importorskip("transformers", reason="Transformers 5 needs Python 3.11")


@pytest.fixture(autouse=True)
def numpy_device() -> Iterator[None]:
    """What depends on no device runs on the one that compiles nothing; the fixture `device` overrides this."""
    transformers.utils.logging.disable_progress_bar()
    with settings.override(device="NUMPY"):
        yield


def torch_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The values of a model, far from their first ones, in PyTorch as well."""
    generator = np.random.default_rng(len(model.state_dict()))
    values = {name: generator.standard_normal(tuple(t.shape)) / 2 for name, t in model.state_dict().items()}
    model.load_state_dict({name: Tensor(value) for name, value in values.items()})
    return {name: torch.tensor(value) for name, value in values.items()}


# ---- encoder and decoder ----

SIZES: dict[str, Any] = {
    "d_model": 12, "num_heads": 3, "num_encoder_layers": 1, "num_decoder_layers": 2, "d_ff": 20, "vocab_size": 9,
    "max_seq_len": 8, "dropout": 0.0,
}  # fmt: skip


def torch_transformer(
    state: dict[str, torch.Tensor], source: torch.Tensor, target: torch.Tensor, hidden: torch.Tensor | None
) -> torch.Tensor:
    """The same model by PyTorch's layers and the paper's formula for positions."""
    sizes = {"d_model": 12, "nhead": 3, "dim_feedforward": 20, "dropout": 0.0, "batch_first": True}
    encoder = torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(**sizes), 1, enable_nested_tensor=False)
    decoder = torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(**sizes), 2)
    for name, part in (("encoder", encoder), ("decoder", decoder)):
        part.double().load_state_dict(
            {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        )

    def embedded(tokens: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        waves = torch.zeros(tokens.shape[1], 12, dtype=torch.float64)
        for position in range(tokens.shape[1]):
            for i in range(0, 12, 2):
                waves[position, i] = math.sin(position / 10000 ** (i / 12))
                waves[position, i + 1] = math.cos(position / 10000 ** (i / 12))
        return table[tokens] * math.sqrt(12) + waves

    memory = encoder(embedded(source, state["source_embedding.weight"]), src_key_padding_mask=hidden)
    later = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
    x = embedded(target, state["target_embedding.weight"])
    x = decoder(x, memory, tgt_mask=later, memory_key_padding_mask=hidden)
    return F.linear(x, state["head.weight"], state["head.bias"])


@pytest.mark.parametrize("padded", [False, True])
def test_a_transformer_s_logits_are_pytorch_s(padded: bool, device: str) -> None:
    model = Transformer(**SIZES).to(dtypes.float64)
    state = torch_state(model)
    source, target = torch.randint(9, (2, 7)), torch.randint(9, (2, 5))
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[1, 4:] = False
    expected = torch_transformer(state, source, target, ~mask if padded else None)
    ours = model(Tensor(source.numpy()), Tensor(target.numpy()), Tensor(mask.numpy()) if padded else None)
    np.testing.assert_allclose(ours.numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-9)


def test_the_decoder_sees_all_of_the_source_and_nothing_later_of_the_target() -> None:
    model = Transformer(**SIZES)
    torch_state(model)
    source, target = np.array([[1, 2, 3, 4]]), np.array([[1, 5, 6, 7]])
    before = model(Tensor(source), Tensor(target)).numpy()
    for k in range(4):
        other_source, other_target = source.copy(), target.copy()
        other_source[0, k] = other_target[0, k] = 8
        assert (np.abs(model(Tensor(other_source), Tensor(target)).numpy() - before).max(-1) > 1e-4).all()
        changed = np.abs(model(Tensor(source), Tensor(other_target)).numpy() - before).max(-1)[0] > 1e-6
        assert changed.tolist() == [i >= k for i in range(4)]
    mask = np.array([[1, 1, 0, 0]])
    short = model(Tensor(source[:, :2]), Tensor(target)).numpy()
    np.testing.assert_allclose(model(Tensor(source), Tensor(target), Tensor(mask)).numpy(), short, rtol=1e-4, atol=1e-5)


def test_what_a_transformer_writes_is_likeliest_at_each_step() -> None:
    model = Transformer(**SIZES).train()
    torch_state(model)
    source = Tensor([[1, 2, 3], [4, 5, 6]])
    written = model.generate(source, start=1, max_len=8)
    assert model.training
    behind = np.concatenate([np.ones((2, 1), int), written.numpy()], 1)
    assert model(source, Tensor(behind[:, :-1])).argmax(-1).tolist() == written.tolist()
    end = int(written[0, 2].item())
    stopped = model.generate(source, start=1, max_len=8, end=end).tolist()
    for row, full in zip(stopped, written.tolist()):
        cut = full.index(end) if end in full else 8
        assert row == full[:cut] + [end] * (8 - cut)
    mask = Tensor([[1, 1, 0], [1, 1, 0]])
    assert model.generate(source, 1, 5, source_mask=mask).tolist() == model.generate(source[:, :2], 1, 5).tolist()


def test_the_parameters_of_a_transformer() -> None:
    net = Transformer(d_model=64, num_heads=4, num_encoder_layers=2, num_decoder_layers=2, d_ff=256, vocab_size=16)
    assert sum(int(p.numel()) for p in net.parameters()) == 236_560
    uneven = Transformer(**{**SIZES, "num_encoder_layers": 3, "num_decoder_layers": 1})
    assert (len(uneven.encoder.layers), len(uneven.decoder.layers)) == (3, 1)


# ---- recurrent nets ----


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_recurrent_model_s_logits_are_pytorch_s(cell: str) -> None:
    model = RNNLanguageModel(11, 4, 6, num_layers=2, cell=cell).to(dtypes.float64)
    state = torch_state(model)
    reference = getattr(torch.nn, cell.upper())(4, 6, 2, batch_first=True).double()
    reference.load_state_dict({k.removeprefix("rnn."): v for k, v in state.items() if k.startswith("rnn.")})
    tokens = torch.randint(11, (3, 5))
    x, _ = reference(state["embedding.weight"][tokens])
    expected = F.linear(x, state["head.weight"], state["head.bias"]).detach().numpy()
    np.testing.assert_allclose(model(Tensor(tokens.numpy())).numpy(), expected, rtol=1e-9, atol=1e-9)
    first, remembered = model.step(Tensor(tokens[:, :2].numpy()))
    second, _ = model.step(Tensor(tokens[:, 2:].numpy()), remembered)
    np.testing.assert_allclose(np.concatenate([first.numpy(), second.numpy()], 1), expected, rtol=1e-9, atol=1e-9)


# ---- plain and convolutional nets ----


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu", "silu"])
def test_an_mlp_s_result_is_pytorch_s(activation: str) -> None:
    model = MLP([5, 7, 6, 3], activation=activation).to(dtypes.float64)
    state = torch_state(model)
    x = given = torch.randn(4, 5, dtype=torch.float64)
    for k in range(3):
        x = F.linear(x, state[f"layers.{k}.weight"], state[f"layers.{k}.bias"])
        x = getattr(F, activation)(x) if k < 2 else x
    np.testing.assert_allclose(model(Tensor(given.numpy())).numpy(), x.numpy(), rtol=1e-9, atol=1e-9)


def test_a_file_of_pytorch_s_lenet_gives_its_logits(tmp_path: Path, device: str) -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = torch.nn.Conv2d(1, 6, 5, padding=2), torch.nn.Conv2d(6, 16, 5)
            self.fc1, self.fc2, self.fc3 = (torch.nn.Linear(*s) for s in ((400, 120), (120, 84), (84, 10)))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = F.max_pool2d(F.relu(self.conv1(x)), 2)
            x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
            return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))

    reference, images = Net(), torch.randn(2, 1, 28, 28)
    save_torch(reference.state_dict(), tmp_path / "lenet.safetensors")
    model = LeNet5()
    model.load_state_dict(load_file(tmp_path / "lenet.safetensors"))
    expected = reference(images).detach().numpy()
    np.testing.assert_allclose(model(Tensor(images.numpy())).numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
def test_transformers_resnets_are_loaded_and_saved(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[2, 1], layer_type=kind, num_labels=5
    )
    reference = transformers.ResNetForImageClassification(config)
    images = torch.randn(3, 3, 40, 40)
    with torch.no_grad():
        reference.train()(images * 3 + 1)  # statistics that are not the first ones
        expected = reference.eval()(images).logits.numpy()
    reference.save_pretrained(tmp_path)
    model = ResNet.from_pretrained(tmp_path)
    with no_grad():
        np.testing.assert_allclose(model(Tensor(images.numpy())).numpy(), expected, rtol=1e-4, atol=1e-4)
    model.save_pretrained(tmp_path / "ours")
    again = transformers.ResNetForImageClassification.from_pretrained(tmp_path / "ours").eval()
    with torch.no_grad():
        np.testing.assert_array_equal(again(images).logits.numpy(), expected)
    values = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**values, "depths": [2, 2]}))
    with pytest.raises(FileFormatError, match=r"depths is \[2, 2\]; there are tensors of \[2, 1\] blocks"):
        ResNet.from_pretrained(tmp_path)


@pytest.mark.parametrize(("depth", "count"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032)])
def test_resnets_have_the_parameters_of_torchvision_s(depth: int, count: int) -> None:
    net = ResNet(ResNetConfig.of_depth(depth))
    assert sum(math.prod(p.shape) for p in net.parameters()) == count
    assert {"conv1.weight", "bn1.running_mean", "layer2.0.downsample.1.weight", "fc.bias"} <= set(net.state_dict())


# ---- files of our own models, and mistakes ----


@pytest.mark.parametrize(
    "model",
    [
        lambda: Transformer(**SIZES),
        lambda: RNNLanguageModel(11, 4, 6, 2, "gru", 0.1),
        lambda: MLP([3, 4, 2], "tanh", 0.2),
        lambda: LeNet5(4),
        lambda: GPT(GPTConfig(vocabulary=11, layers=2, heads=2, width=8, context=6, bias=True)),
        lambda: ResNet(ResNetConfig(embedding_size=4, hidden_sizes=(8,), depths=(1,), layer_type="basic")),
    ],
    ids=["transformer", "rnn", "mlp", "lenet", "gpt", "resnet"],
)
def test_what_is_saved_comes_back(model: Any, tmp_path: Path) -> None:
    manual_seed(4)
    saved: Pretrained = model()
    saved.save_pretrained(tmp_path)
    loaded = type(saved).from_pretrained(tmp_path)
    assert loaded.config == saved.config
    for name, value in saved.state_dict().items():
        np.testing.assert_array_equal(loaded.state_dict()[name].numpy(), value.numpy())
    other = MLP if not isinstance(saved, MLP) else LeNet5
    with pytest.raises(FileFormatError, match="is of a model of type"):
        other.from_pretrained(tmp_path)


def test_mistakes_are_told() -> None:
    with pytest.raises(ArgumentError, match="cell is 'mamba'; use rnn, lstm, gru"):
        RNNLanguageModel(5, cell="mamba")
    with pytest.raises(ArgumentError, match=r"features is \[3\]; give at least 2 sizes"):
        MLP([3])
    with pytest.raises(ArgumentError, match="activation is 'relu6'; use relu, tanh"):
        MLP([3, 2], "relu6")
    with pytest.raises(ArgumentError, match="there is no ResNet-20 here; there are 18, 34, 50"):
        ResNetConfig.of_depth(20)
    with pytest.raises(ArgumentError, match="d_model 10 does not divide among 4 heads"):
        Transformer(d_model=10, num_heads=4)
    model = Transformer(**SIZES)
    with pytest.raises(ShapeError, match=r"length at most 8; these have shape \(1, 9\)"):
        model(Tensor.zeros(1, 9, dtype=dtypes.int64), Tensor([[1]]))
    with pytest.raises(ShapeError, match="1 sources and 2 targets"):
        model(Tensor([[1]]), Tensor([[1], [2]]))
    with pytest.raises(ArgumentError, match="max_len is 9; this model writes 1 to 8 tokens"):
        model.generate(Tensor([[1]]), 1, 9)
    with pytest.raises(ShapeError, match=r"LeNet5 takes images \(batch, 1, 28, 28\)"):
        LeNet5()(Tensor.zeros(1, 28, 28))
    with pytest.raises(ShapeError, match=r"ResNet takes images \(batch, 3, height, width\)"):
        ResNet(ResNetConfig.of_depth(18))(Tensor.zeros(1, 1, 8, 8))
    with pytest.raises(ShapeError, match=r"RNNLanguageModel takes tokens \(batch, time\)"):
        RNNLanguageModel(5)(Tensor([1, 2]))
