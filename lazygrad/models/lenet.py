"""LeNet-5 (Y. LeCun et al., 1998), with ReLU and maxima where that had tanh and means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lazygrad import nn
from lazygrad.errors import ShapeError
from lazygrad.models.config import Config
from lazygrad.models.pretrained import Sized
from lazygrad.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class LeNet5Config(Config):
    """The arguments of `LeNet5`."""

    model_type: ClassVar[str] = "lazygrad_lenet5"
    architecture: ClassVar[str] = "LeNet5"
    sizes: ClassVar[tuple[str, ...]] = ("num_classes",)

    num_classes: int


class LeNet5(Sized):
    """Images (batch, 1, 28, 28) to logits (batch, num_classes), through 6 and 16 maps, 120 and 84 features.

    >>> net = LeNet5()
    >>> sum(p.numel() for p in net.parameters()), net(Tensor.zeros(2, 1, 28, 28)).shape
    (61706, (2, 10))
    """

    config_class = LeNet5Config
    config: LeNet5Config

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(num_classes=num_classes)
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (batch, num_classes) of images (batch, 1, 28, 28); ShapeError for others."""
        if tuple(images.shape[1:]) != (1, 28, 28):
            raise ShapeError(f"LeNet5 takes images (batch, 1, 28, 28); these have shape {tuple(images.shape)}")
        x = self.conv1(images).relu().max_pool2d(2)
        x = self.conv2(x).relu().max_pool2d(2).flatten(1)
        return self.fc3.forward(self.fc2(self.fc1(x).relu()).relu())
