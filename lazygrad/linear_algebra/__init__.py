"""Linear algebra: factorizations by LAPACK on the host, through NumPy, with gradients that stay on the device.

`lazygrad.linalg` gathers what PyTorch has in `torch.linalg`, `ops/linear_algebra.py` the methods.
"""
