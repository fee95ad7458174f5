"""Models saved by Transformers and loaded here, and the other way round; and files that do not fit."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lazygrad import Tensor, dtypes, no_grad
from lazygrad.errors import ArgumentError, FileFormatError, LazygradError, ShapeError
from lazygrad.models import GPT2, Bert, GPT2Config, Llama, LlamaConfig, Mistral, Qwen2, Rotary, load_model
from lazygrad.models.pretrained import Pretrained
from lazygrad.settings import settings
from tests.io import hostile

transformers = pytest.importorskip("transformers", reason="Transformers 5 needs Python 3.11")
VOCABULARY = 50
GPT2_SIZES: dict[str, Any] = {"vocab_size": VOCABULARY, "n_positions": 72, "n_embd": 16, "n_layer": 2, "n_head": 4}
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 72,
}  # fmt: skip
SHARED: dict[str, Any] = {**SIZES, "num_key_value_heads": 2}
SPECIAL: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": None, "initializer_range": 0.3}
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 100.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}  # fmt: skip
YARN = {"rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0, "original_max_position_embeddings": 32}

# name -> our class, their configuration, their class
CASES: dict[str, tuple[type[Pretrained], Any, Any]] = {
    "gpt2": (GPT2, lambda: transformers.GPT2Config(**GPT2_SIZES, **SPECIAL), transformers.GPT2LMHeadModel),
    "gpt2-inner": (
        GPT2,
        lambda: transformers.GPT2Config(**GPT2_SIZES, n_inner=24, layer_norm_epsilon=1e-3, **SPECIAL),
        transformers.GPT2LMHeadModel,
    ),
    "llama": (Llama, lambda: transformers.LlamaConfig(**SIZES, **SPECIAL), transformers.LlamaForCausalLM),
    "llama-3": (
        Llama,
        lambda: transformers.LlamaConfig(**SHARED, **SPECIAL, rope_parameters=LLAMA3, tie_word_embeddings=True),
        transformers.LlamaForCausalLM,
    ),
    "llama-linear": (
        Llama,
        lambda: transformers.LlamaConfig(
            **SHARED, **SPECIAL, attention_bias=True, mlp_bias=True, head_dim=6, rms_norm_eps=1e-3,
            rope_parameters={"rope_type": "linear", "rope_theta": 300.0, "factor": 2.5},
        ),
        transformers.LlamaForCausalLM,
    ),
    "llama-yarn": (
        Llama,
        lambda: transformers.LlamaConfig(**SHARED, **SPECIAL, rope_parameters=YARN),
        transformers.LlamaForCausalLM,
    ),
    "mistral": (
        Mistral,
        lambda: transformers.MistralConfig(**SHARED, **SPECIAL, sliding_window=5),
        transformers.MistralForCausalLM,
    ),
    "qwen2": (
        Qwen2,
        lambda: transformers.Qwen2Config(
            **SHARED, **SPECIAL, use_sliding_window=True, sliding_window=4, max_window_layers=1
        ),
        transformers.Qwen2ForCausalLM,
    ),
    "bert": (Bert, lambda: transformers.BertConfig(**SIZES, **{**SPECIAL, "pad_token_id": 0}), transformers.BertModel),
}  # fmt: skip


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """No progress bars; and the device that compiles nothing, unless a test asks for `device`."""
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    with settings.override(device="NUMPY"):
        yield


_saved: dict[str, Any] = {}


def theirs(name: str, folder: Path) -> Any:
    """A model of Transformers' with weights far from their first ones, saved in a folder."""
    if name not in _saved:
        torch.manual_seed(len(name))
        _saved[name] = CASES[name][2](CASES[name][1]()).eval()
        for parameter in _saved[name].parameters():
            if parameter.ndim == 1:
                torch.nn.init.normal_(parameter, 0.5, 0.5)
    _saved[name].save_pretrained(folder)
    return _saved[name]


def output(model: Any, *args: Any, **kwargs: Any) -> np.ndarray[Any, Any]:
    """Logits, or hidden states, of Transformers'."""
    with torch.no_grad():
        result = model(*args, **kwargs)
    return getattr(result, "logits", getattr(result, "last_hidden_state", None)).float().numpy()  # type: ignore[no-any-return]


def tokens(batch: int, time: int) -> torch.Tensor:
    return torch.randint(VOCABULARY, (batch, time), generator=torch.Generator().manual_seed(time))


def close(ours: Tensor, expected: np.ndarray[Any, Any]) -> None:
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_their_weights_give_their_logits(name: str, tmp_path: Path) -> None:
    reference, given = theirs(name, tmp_path), tokens(2, 12)
    model = CASES[name][0].from_pretrained(tmp_path)
    assert not model.training
    with no_grad():
        close(model(Tensor(given.numpy())), output(reference, given))


def test_each_device_gives_their_logits(tmp_path: Path, device: str) -> None:
    """One model of each family, compiled together."""
    ours, expected = [], []
    for name in ("gpt2", "mistral", "bert"):
        reference, given = theirs(name, tmp_path / name), tokens(1, 12)
        with no_grad():
            ours.append(CASES[name][0].from_pretrained(tmp_path / name)(Tensor(given.numpy())))
        expected.append(output(reference, given))
    Tensor.realize(*ours)
    for logits, reference in zip(ours, expected):
        close(logits, reference)


@pytest.mark.parametrize("name", CASES)
def test_paddings_are_not_seen(name: str, tmp_path: Path) -> None:
    reference, given = theirs(name, tmp_path), tokens(2, 12)
    mask = torch.ones(2, 12, dtype=torch.long)
    mask[1, 7:] = 0
    model = CASES[name][0].from_pretrained(tmp_path)
    ours = model(Tensor(given.numpy()), attention_mask=Tensor(mask.numpy()))
    expected = output(reference, given, attention_mask=mask)
    close(ours[0], expected[0])
    close(ours[1, :7], expected[1, :7])
    given[1, 7:] = 3
    np.testing.assert_allclose(
        model(Tensor(given.numpy()), Tensor(mask.numpy()))[1, :7].numpy(), ours[1, :7].numpy(), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("name", CASES)
def test_transformers_loads_what_is_saved(name: str, tmp_path: Path) -> None:
    """In one file and in several, and so does this, from either."""
    reference, given = theirs(name, tmp_path / "theirs"), tokens(1, 9)
    kind = CASES[name][0]
    model = kind.from_pretrained(tmp_path / "theirs")
    for size in (10**9, 4000) if name in ("gpt2", "qwen2") else (4000,):
        model.save_pretrained(tmp_path / "ours", shard_size=size)
        again = CASES[name][2].from_pretrained(tmp_path / "ours").eval()
        np.testing.assert_array_equal(output(again, given), output(reference, given))
        loaded = load_model(tmp_path / "ours")
        assert type(loaded) is kind
        assert loaded.config.to_json() == model.config.to_json()
        np.testing.assert_array_equal(loaded(Tensor(given.numpy())).numpy(), model(Tensor(given.numpy())).numpy())
    assert len(list((tmp_path / "ours").glob("*-of-*.safetensors"))) > 1


@pytest.mark.parametrize("name", ["gpt2", "llama-3", "mistral", "qwen2"])
def test_greedy_continuations_are_theirs(name: str, tmp_path: Path) -> None:
    reference, given = theirs(name, tmp_path), tokens(1, 4)
    model = CASES[name][0].from_pretrained(tmp_path)
    with torch.no_grad():
        texts = reference.generate(given, max_new_tokens=64, do_sample=False, eos_token_id=None)
    assert texts.shape == (1, 68)
    # By induction: where each token is the likeliest after those before it, to this model too, it writes the same.
    assert model(Tensor(texts.numpy()))[:, 3:-1].argmax(-1).tolist() == texts[:, 4:].tolist()


def rewritten(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A folder whose config has been changed."""
    path = folder / "config.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    return folder


def older(values: dict[str, Any]) -> None:
    """The spelling of years ago."""
    rope = dict(values.pop("rope_parameters"))
    values["rope_theta"] = rope.pop("rope_theta")
    values["rope_scaling"] = rope if rope["rope_type"] != "default" else None
    if rope["rope_type"] == "linear":
        values["rope_scaling"] = {"type": "linear", "factor": rope["factor"]}
    values["torch_dtype"] = values.pop("dtype")
    if values.get("head_dim") == values["hidden_size"] // values["num_attention_heads"]:
        values["head_dim"] = None
    values["eos_token_id"] = [2, 3]
    values.pop("layer_types", None)


@pytest.mark.parametrize("name", ["llama", "llama-3", "llama-linear", "llama-yarn", "mistral", "qwen2"])
def test_older_spellings_mean_the_same(name: str, tmp_path: Path) -> None:
    reference, given = theirs(name, tmp_path), tokens(1, 12)
    model = CASES[name][0].from_pretrained(rewritten(tmp_path, older))
    assert model.config.eos_token_id == (2, 3)
    close(model(Tensor(given.numpy())), output(reference, given))


def test_names_of_other_files_of_the_same_models(tmp_path: Path) -> None:
    """GPT-2 without its prefix and with masks, BERT below a prefix with names of TensorFlow's, Llama with speeds."""
    from safetensors.torch import load_file, save_file

    def renamed(name: str, change: Callable[[str], str], more: dict[str, torch.Tensor]) -> None:
        reference = theirs(name, tmp_path / name)
        file = tmp_path / name / "model.safetensors"
        state = {change(key): t.clone() for key, t in load_file(file).items()}
        save_file({**state, **more}, file)
        model, given = CASES[name][0].from_pretrained(tmp_path / name), tokens(1, 6)
        close(model(Tensor(given.numpy())), output(reference, given))

    masks = {"h.0.attn.bias": torch.ones(1, 1, 72, 72), "h.1.attn.masked_bias": torch.tensor(-1e4)}
    renamed("gpt2", lambda key: key.removeprefix("transformer."), masks)
    renamed(
        "bert",
        lambda key: "bert." + key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("Norm.bias", "Norm.beta"),
        {"cls.predictions.bias": torch.ones(VOCABULARY), "bert.embeddings.position_ids": torch.arange(72)[None]},
    )
    renamed("llama", str, {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(2)})
    renamed("llama-3", str, {"lm_head.weight": torch.ones(VOCABULARY, 16)})


def test_dtypes_and_devices_are_those_asked_for(tmp_path: Path) -> None:
    reference = theirs("llama-3", tmp_path)
    reference.to(torch.bfloat16).save_pretrained(tmp_path)
    reference.float()
    given = tokens(1, 5)
    kept = Llama.from_pretrained(tmp_path, device="NUMPY")
    assert {p.dtype for p in kept.parameters()} == {dtypes.bfloat16}
    assert {p.device for p in kept.parameters()} == {"NUMPY"}
    wide = Llama.from_pretrained(tmp_path, dtype="float64")
    assert {p.dtype for p in wide.parameters()} == {dtypes.float64}
    np.testing.assert_allclose(
        kept(Tensor(given.numpy())).numpy(), wide(Tensor(given.numpy())).numpy(), rtol=0.1, atol=0.15
    )
    kept.save_pretrained(tmp_path / "kept")
    assert json.loads((tmp_path / "kept" / "config.json").read_text())["dtype"] == "bfloat16"


def test_a_loaded_model_can_be_trained_and_its_file_stays(tmp_path: Path) -> None:
    theirs("gpt2", tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    model, given = GPT2.from_pretrained(tmp_path), Tensor(tokens(2, 6).numpy())
    assert len(list(model.parameters())) == len(model.state_dict())
    first = model.train()(given).sum()
    first.backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        with no_grad():
            parameter -= parameter.grad * 0.01
    assert model.eval()(given).sum().item() < first.item()
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_sentences_are_the_means_of_their_tokens(tmp_path: Path) -> None:
    reference = theirs("bert", tmp_path)
    model = Bert.from_pretrained(tmp_path)

    class Letters:
        def encode(self, text: str) -> list[int]:
            return [ord(letter) % VOCABULARY for letter in text]

    texts = ["a", "some letters", "x" * 90]
    ours = model.embed(texts, Letters())
    for row, text in zip(ours.tolist(), texts):
        ids = torch.tensor([Letters().encode(text)[:72]])
        mean = output(reference, ids)[0].mean(0)
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(model.embed(text, Letters(), normalize=False)[0].numpy(), mean, rtol=1e-4, atol=1e-4)
    for wrong in ([], ["a", ""]):
        with pytest.raises(ArgumentError, match="at least one"):
            model.embed(wrong, Letters())


# ---- what does not fit ----


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda values: values.pop(name)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("gpt2", {"model_type": "opt"}, "is of a model of type 'opt', not 'gpt2'"),
        ("gpt2", {"n_layer": 3}, "says that n_layer is 3; there are tensors of 2 layers"),
        ("gpt2", {"n_layer": 10**9}, "a model has at most 4096"),
        ("gpt2", {"n_embd": 20}, "does not fit its config.json: wte.weight: shape [50, 16], this module has [50, 20]"),
        ("gpt2", {"vocab_size": 2**31}, "vocab_size is 2147483648; a GPT2Config has it from 1 to 2147483647"),
        ("gpt2", {"vocab_size": 2**31 - 1}, "this module has [2147483647, 16]"),
        ("gpt2", {"n_head": 3}, "n_embd 16 does not divide among 3 heads"),
        ("gpt2", {"n_head": "4"}, "n_head in the config is '4'; it must be an integer"),
        ("gpt2", {"activation_function": "relu"}, "has activation_function 'relu'; only 'gelu_new' is implemented"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "only False is implemented"),
        ("llama", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, "rope_type is 'dynamic'"),
        ("llama", {"rope_parameters": {"rope_theta": -1.0}}, "rope_theta in rope_parameters in the config is -1.0"),
        ("llama", {"rope_parameters": {"partial_rotary_factor": 0.5}}, "not implemented"),
        ("llama", {"hidden_act": "gelu"}, "only 'silu' is implemented"),
        ("llama", {"num_key_value_heads": 3}, "num_attention_heads 4 does not divide among 3 heads of keys"),
        ("llama", {"head_dim": 5}, "head_dim is 5; features are turned in pairs, so it is even"),
        ("llama", {"tie_word_embeddings": 1}, "tie_word_embeddings in the config is 1; it must be true or false"),
        ("llama-3", {"tie_word_embeddings": False}, "lm_head.weight: missing"),
        ("llama", {"attention_bias": True}, "self_attn.q_proj.bias: missing"),
        ("qwen2", {"layer_types": ["full_attention"]}, "layer_types is not one of"),
        ("bert", {"hidden_act": "swish"}, "hidden_act is 'swish'; use gelu or relu"),
        ("bert", {"position_embedding_type": "relative_key"}, "only 'absolute' is implemented"),
    ],
)
def test_a_config_that_does_not_fit(name: str, change: dict[str, Any], message: str, tmp_path: Path) -> None:
    theirs(name, tmp_path)
    with pytest.raises(FileFormatError) as caught:
        CASES[name][0].from_pretrained(rewritten(tmp_path, lambda values: values.update(change)))
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["gpt2", "llama-3", "bert"])
def test_mutated_configs_are_read_or_refused_with_one_error(name: str, tmp_path: Path) -> None:
    theirs(name, tmp_path)
    path, chance = tmp_path / "config.json", random.Random(3)
    good, problems = json.loads(path.read_text()), []
    for _ in range(25):
        path.write_bytes(hostile.mutated_json(chance, good))
        try:
            CASES[name][0].from_pretrained(tmp_path)
        except FileFormatError as error:
            if str(tmp_path) not in str(error) or len(str(error)) > 1000:
                problems.append(str(error))
    assert not problems


def test_a_folder_that_is_none_tells_which_files_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    needed = r"config\.json, model\.safetensors \(or model\.safetensors\.index\.json"
    with pytest.raises(ArgumentError, match=rf"nobody/nothing cannot be fetched from the Hub .*{needed}"):
        GPT2.from_pretrained("nobody/nothing")
    for path in ("no such folder", "../nowhere", "a/b/c", tmp_path / "none"):
        with pytest.raises(FileFormatError, match=f"there is no such folder; name one with {needed}"):
            GPT2.from_pretrained(path)
    (tmp_path / "file").write_text("{}")
    with pytest.raises(FileFormatError, match=f"is a file; name the folder with {needed}"):
        GPT2.from_pretrained(tmp_path / "file")
    with pytest.raises(FileFormatError, match=r"config\.json: there is no such file"):
        GPT2.from_pretrained(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(ArgumentError, match=rf"pip install 'lazygrad\[hub\]', or name a folder with {needed}"):
        GPT2.from_pretrained("nobody/nothing")


def test_a_copy_of_the_hub_is_found_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    folder = tmp_path / "models--somebody--small"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    reference = theirs("gpt2", folder / "snapshots" / ("0" * 40))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    given = tokens(1, 5)
    close(GPT2.from_pretrained("somebody/small")(Tensor(given.numpy())), output(reference, given))


def test_a_kind_of_model_that_is_not_here_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "opt"}')
    with pytest.raises(FileFormatError, match="is of a model of type 'opt'; there are bert, "):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileFormatError, match="the config has no model_type"):
        load_model(tmp_path)


def test_sizes_and_tokens_are_checked() -> None:
    with pytest.raises(ArgumentError, match="n_layer is 0; a GPT2Config has it from 1"):
        GPT2Config(n_layer=0)
    with pytest.raises(ArgumentError, match="there is no GPT-2 called 'gpt3'; there are gpt2, gpt2-medium"):
        GPT2Config.named("gpt3")
    model = GPT2(GPT2Config(**GPT2_SIZES))
    with pytest.raises(ShapeError, match=r"time at most 72; these have shape \(1, 73\)"):
        model(Tensor.zeros(1, 73, dtype=dtypes.int64))
    with pytest.raises(ShapeError, match=r"Mistral takes tokens of shape \(batch, time\)"):
        Mistral(Mistral.config_class(**SIZES, num_key_value_heads=2))(Tensor([1, 2]))
    with pytest.raises(LazygradError, match="Rotary"):
        Rotary(rope_type="linear", factor=0.5)


@pytest.mark.parametrize(
    ("name", "count"),
    [("gpt2", 124_439_808), ("gpt2-medium", 354_823_168), ("gpt2-large", 774_030_080), ("gpt2-xl", 1_557_611_200)],
)
def test_the_sizes_of_gpt2_have_its_parameters(name: str, count: int) -> None:
    """From one and two layers, since all are alike."""
    config = GPT2Config.named(name)
    one, two = (sum(math.prod(p.shape) for p in GPT2(replace(config, n_layer=n)).parameters()) for n in (1, 2))
    assert one + (config.n_layer - 1) * (two - one) == count
    config = LlamaConfig(**SIZES)
    assert (config.features, config.key_heads) == (4, 4)
