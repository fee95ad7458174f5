"""Settings of products and of attention, by PyTorch's names (`torch.backends.cuda`)."""

from __future__ import annotations

from lazygrad.device import get_float32_matmul_precision, set_float32_matmul_precision
from lazygrad.nn.attention import sdp_kernel

__all__ = ["is_built", "matmul", "sdp_kernel"]


class _Matmul:
    """Of matrix products."""

    @property
    def allow_tf32(self) -> bool:
        """Whether float32 factors may be rounded to TF32; see `lazygrad.set_float32_matmul_precision`.

        >>> matmul.allow_tf32
        False
        """
        return get_float32_matmul_precision() != "highest"

    @allow_tf32.setter
    def allow_tf32(self, allowed: bool) -> None:
        set_float32_matmul_precision("high" if allowed else "highest")

    # Sums of 16-bit factors are float32 here, whatever is allowed.
    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True


matmul = _Matmul()


def is_built() -> bool:
    """True: what GPUs need is found when it is first used."""
    return True
