"""`Generator`, and the default one: where random numbers come from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from lazygrad.engine.generator import Generator as Counting
from lazygrad.errors import ArgumentError, OperandError, ShapeError, fail
from lazygrad.ops.operands import describe
from lazygrad.ops.signatures import are_integers
from lazygrad.runtime.registry import canonical, default_device

if TYPE_CHECKING:
    from typing_extensions import Self

_PYTORCHS_SEED = 67280421310721  # of a Generator that none was given


class Generator(Counting):
    """A source of random numbers of its own, which random functions take as `generator=`. Thread-safe.

    Args:
        device: the numbers of a seed are the same on all devices, and drawn for any of them.

    >>> g = Generator().manual_seed(7)
    >>> first = Tensor.rand(3, generator=g).tolist()
    >>> Tensor.rand(3, generator=g.manual_seed(7)).tolist() == first
    True
    """

    tensor: ClassVar[Any]  # the class Tensor, which stands on this module, and says so

    def __init__(self, device: str | None = None) -> None:
        super().__init__(_PYTORCHS_SEED)
        self._device = None if device is None else canonical(device)

    @property
    def device(self) -> str:
        """The device that it was made for."""
        return self._device or default_device()

    def clone_state(self) -> Self:
        """Another generator, which draws the numbers that this one would draw next; so are its copies.

        >>> g = Generator().manual_seed(7)
        >>> other = g.clone_state()
        >>> Tensor.rand(3, generator=g).tolist() == Tensor.rand(3, generator=other).tolist()
        True
        """
        new = type(self)(self._device)
        new.set_state(self.state())
        return new

    def __copy__(self) -> Self:
        return self.clone_state()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.clone_state()

    def __reduce__(self) -> NoReturn:
        raise TypeError("generators are never pickled: send generator.get_state().tolist()")

    def manual_seed(self, seed: int) -> Self:
        """Draw the numbers of this seed from now on; returns the generator. ArgumentError for what is no integer."""
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):  # else the next draw would fail
            fail(ArgumentError, f"manual_seed: the seed {seed!r} is no integer; use one, such as int(seed)")
        self.reseed(int(seed))
        return self

    def initial_seed(self) -> int:
        """The seed of the numbers drawn now.

        >>> Generator().manual_seed(7).initial_seed()
        7
        """
        return self.state()[0]

    def seed(self) -> int:
        """Draw the numbers of a new seed, which the operating system gives, from now on; returns it."""
        new = int.from_bytes(os.urandom(8), "little")
        self.reseed(new)
        return new

    def get_state(self) -> Any:
        """What `set_state` takes to continue from here: 16 bytes, a uint8 tensor.

        >>> g = Generator()
        >>> state = g.get_state()
        >>> first = Tensor.rand(3, generator=g).tolist()
        >>> g.set_state(state)
        >>> Tensor.rand(3, generator=g).tolist() == first
        True
        """
        key, counter = self.state()
        return self.tensor(np.array([key % (1 << 64), counter], "<u8").view(np.uint8), device="NUMPY")

    def set_state(self, state: Any) -> None:
        """Continue where `get_state` was taken. OperandError for no tensor, ShapeError for one of another size."""
        if not (isinstance(state, tuple) and len(state) == 2 and are_integers(state)):
            if not hasattr(state, "numpy"):
                fail(OperandError, f"set_state: {describe(state)[0]} is no state; give what get_state() returned")
            held = np.asarray(state.numpy())
            if held.shape != (16,) or held.dtype != np.uint8:
                fail(ShapeError, f"set_state: a state is 16 bytes, not {held.dtype}{list(held.shape)}")
            key, counter = (int(word) for word in held.view("<u8"))
            state = key, counter
        super().set_state(state)


default_generator = Generator()
default_generator.seed()  # each process draws its own numbers


def manual_seed(seed: int) -> Generator:
    """Make the random numbers from here on depend on `seed` alone, those of processes forked from here on too.

    Without a seed every process draws other numbers. ArgumentError for what is no integer.

    >>> manual_seed(1).state()
    (1, 0)
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Draw the numbers of a new seed, which the operating system gives, from now on; returns it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the numbers drawn now.

    >>> _ = manual_seed(3)
    >>> initial_seed()
    3
    """
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """What `set_rng_state` takes to continue from here: 16 bytes, a uint8 tensor.

    >>> get_rng_state().shape
    (16,)
    """
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Continue where `get_rng_state` was taken.

    >>> state = get_rng_state()
    >>> first = Tensor.rand(3).tolist()
    >>> set_rng_state(state)
    >>> Tensor.rand(3).tolist() == first
    True
    """
    default_generator.set_state(new_state)
