"""What programs ask and set of libraries under PyTorch (`torch.backends`). No logic is here."""

from lazygrad.backends import cuda, cudnn, mps

__all__ = ["cuda", "cudnn", "mps"]
