"""ResNet (K. He et al., 2015): convolutions whose results are added to what they read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from lazygrad import nn
from lazygrad.errors import ArgumentError, FileFormatError, ShapeError
from lazygrad.io.atomic import PathLike
from lazygrad.io.json_table import JsonTable
from lazygrad.models.config import LARGEST_SIZE, MOST_LAYERS, Config, Json
from lazygrad.models.pretrained import Pretrained
from lazygrad.tensor import Tensor

_DEPTHS = {18: ("basic", (2, 2, 2, 2)), 34: ("basic", (3, 4, 6, 3)), 50: ("bottleneck", (3, 4, 6, 3))}


@dataclass(frozen=True, kw_only=True)
class ResNetConfig(Config):
    """The sizes of a ResNet, by the names in its `config.json`; `of_depth` has those of the usual ones.

    Args:
        num_channels, embedding_size: channels of images, and after the first convolution.
        hidden_sizes, depths: channels, and blocks, of each stage.
        layer_type: "basic": two convolutions of 3x3 in each block; "bottleneck": one of 1x1 to a fourth of the
            channels, one of 3x3, and one of 1x1 back.
        num_labels: classes.
    """

    model_type: ClassVar[str] = "resnet"
    architecture: ClassVar[str] = "ResNetForImageClassification"
    sizes: ClassVar[tuple[str, ...]] = ("num_channels", "embedding_size", "num_labels")
    fixed: ClassVar[dict[str, Any]] = {
        "hidden_act": "relu", "downsample_in_first_stage": False, "downsample_in_bottleneck": False
    }  # fmt: skip

    num_channels: int = 3
    embedding_size: int = 64
    hidden_sizes: tuple[int, ...] = (256, 512, 1024, 2048)
    depths: tuple[int, ...] = (3, 4, 6, 3)
    layer_type: str = "bottleneck"
    num_labels: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layer_type not in ("basic", "bottleneck"):
            raise ArgumentError(f"layer_type is {self.layer_type!r:.60}; use basic or bottleneck")
        if not 1 <= len(self.depths) == len(self.hidden_sizes) or not 1 <= min(self.depths) <= sum(self.depths):
            raise ArgumentError("depths and hidden_sizes have one size from 1 up for each stage")
        if sum(self.depths) > MOST_LAYERS or not 4 <= min(self.hidden_sizes) <= max(self.hidden_sizes) <= LARGEST_SIZE:
            raise ArgumentError(f"a ResNet has up to {MOST_LAYERS} blocks, of 4 channels or more")

    @staticmethod
    def of_depth(depth: int, num_labels: int = 1000, num_channels: int = 3) -> ResNetConfig:
        """The sizes of ResNet-18, 34 or 50; ArgumentError for another depth.

        >>> ResNetConfig.of_depth(18).hidden_sizes
        (64, 128, 256, 512)
        """
        if depth not in _DEPTHS:
            raise ArgumentError(f"there is no ResNet-{depth} here; there are {', '.join(map(str, _DEPTHS))}")
        kind, depths = _DEPTHS[depth]
        widths = tuple((256 if kind == "bottleneck" else 64) * 2**k for k in range(4))
        return ResNetConfig(
            num_channels=num_channels, hidden_sizes=widths, depths=depths, layer_type=kind, num_labels=num_labels
        )

    @classmethod
    def of_json(cls, table: JsonTable) -> Any:
        """See `Config.of_json`; files count the classes by naming them, or have two."""
        count = len(table.table("id2label").values) if table.given("id2label") else 2
        return super().of_json(JsonTable(table.path, table.what, {"num_labels": count, **table.values}))

    def to_json(self) -> Json:
        """See `Config.to_json`."""
        values = super().to_json()
        del values["num_labels"]
        names = {str(k): f"LABEL_{k}" for k in range(self.num_labels)}
        return {**values, "id2label": names, "label2id": {name: int(k) for k, name in names.items()}}


class Block(nn.Module):
    """Two or three convolutions, each normalized; the input, or a convolution of 1x1 of it, is added to the result."""

    def __init__(self, inputs: int, outputs: int, stride: int, kind: str) -> None:
        super().__init__()
        if kind == "basic":
            layers = [(outputs, 3, stride), (outputs, 3, 1)]
        else:
            layers = [(outputs // 4, 1, 1), (outputs // 4, 3, stride), (outputs, 1, 1)]
        self.depth, width = len(layers), inputs
        for k, (maps, size, step) in enumerate(layers, 1):
            setattr(self, f"conv{k}", nn.Conv2d(width, maps, size, step, padding=size // 2, bias=False))
            setattr(self, f"bn{k}", nn.BatchNorm2d(maps))
            width = maps
        self.downsample = None
        if stride != 1 or inputs != outputs:
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        before = x if self.downsample is None else self.downsample(x)
        for k in range(1, self.depth + 1):
            x = getattr(self, f"bn{k}")(getattr(self, f"conv{k}")(x))
            x = x.relu() if k < self.depth else (x + before).relu()
        return x


class ResNet(Pretrained):
    """Images (batch, channels, height, width) to logits (batch, classes). Parameters have torchvision's names; files of
    Transformers' are read, and written, with theirs.

    >>> net = ResNet(ResNetConfig.of_depth(18, num_labels=10))
    >>> sum(p.numel() for p in net.parameters())
    11181642
    """

    config_class = ResNetConfig
    config: ResNetConfig

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(config)
        width = config.embedding_size
        self.conv1 = nn.Conv2d(config.num_channels, width, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        for k, (outputs, depth) in enumerate(zip(config.hidden_sizes, config.depths)):
            blocks = [
                Block(width if i == 0 else outputs, outputs, 2 if k and i == 0 else 1, config.layer_type)
                for i in range(depth)
            ]
            setattr(self, f"layer{k + 1}", nn.Sequential(*blocks))
            width = outputs
        self.fc = nn.Linear(width, config.num_labels)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, num_labels) of images (batch, num_channels, height, width); ShapeError for others."""
        if images.ndim != 4 or images.shape[1] != self.config.num_channels:
            raise ShapeError(
                f"ResNet takes images (batch, {self.config.num_channels}, height, width); these have shape "
                f"{tuple(images.shape)}"
            )
        x: Tensor = self.bn1(self.conv1(images)).relu().max_pool2d(3, 2, padding=1)
        for k in range(len(self.config.depths)):
            x = getattr(self, f"layer{k + 1}")(x)
        return self.fc.forward(x.mean((2, 3)))

    @classmethod
    def _require_layers(cls, path: PathLike, config: ResNetConfig, state: Mapping[str, Tensor]) -> None:
        blocks = {name.rpartition(".conv1.")[0] for name in state if ".conv1." in name}
        there = [sum(b.startswith(f"layer{k}.") for b in blocks) for k in range(1, len(config.depths) + 1)]
        if there != list(config.depths):
            said = f"says that depths is {list(config.depths)!s:.60}"
            raise FileFormatError(path, f"{said}; there are tensors of {there!s:.60} blocks")

    @classmethod
    def _name_here(cls, name: str, config: ResNetConfig) -> str | None:
        """torchvision's name of a tensor."""
        name = name.replace("resnet.embedder.embedder.convolution", "conv1").replace("classifier.1.", "fc.")
        name = name.replace("resnet.embedder.embedder.normalization", "bn1")
        found = re.fullmatch(r"resnet\.encoder\.stages\.(\d{1,4})\.layers\.(\d{1,4})\.(.+)", name)
        if not found:
            return name
        rest = found[3].replace("shortcut.convolution", "downsample.0")
        rest = rest.replace("shortcut.normalization", "downsample.1")
        if inner := re.fullmatch(r"layer\.([0-2])\.(convolution|normalization)\.(\w+)", rest):
            rest = f"{'conv' if inner[2] == 'convolution' else 'bn'}{int(inner[1]) + 1}.{inner[3]}"
        return f"layer{int(found[1]) + 1}.{found[2]}.{rest}"

    @classmethod
    def _name_there(cls, name: str) -> str:
        """Transformers' name of a tensor."""
        first, _, rest = name.partition(".")
        if first == "fc":
            return f"classifier.1.{rest}"
        kind = "convolution" if first.startswith("conv") else "normalization"
        if not first.startswith("layer"):
            return f"resnet.embedder.embedder.{kind}.{rest}"
        block, part, *more = rest.split(".", 2)
        if part == "downsample":
            inner, last = more[0].split(".")
            part = f"shortcut.{'convolution' if inner == '0' else 'normalization'}.{last}"
        else:
            kind = "convolution" if part.startswith("conv") else "normalization"
            part = f"layer.{int(part[-1]) - 1}.{kind}.{more[0]}"
        return f"resnet.encoder.stages.{int(first[5:]) - 1}.layers.{block}.{part}"
