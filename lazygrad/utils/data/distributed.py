"""`DistributedSampler`, where PyTorch has it. No logic is here."""

from lazygrad.utils.data.sampler import DistributedSampler

__all__ = ["DistributedSampler"]
