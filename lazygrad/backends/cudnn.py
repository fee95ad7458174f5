"""Settings of cuDNN, which is not used: programs that set them go on.

Every operation is deterministic, and no algorithm is chosen by trying. TF32 is `backends.cuda.matmul`'s, of products
and convolutions alike.
"""

enabled = True
benchmark = False
deterministic = True
allow_tf32 = True


def is_available() -> bool:
    """False: kernels are compiled here."""
    return False


def version() -> None:
    """None: there is none."""
