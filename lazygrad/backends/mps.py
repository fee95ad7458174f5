"""Apple's GPUs, for which there is no device: programs that ask go on without."""


def is_available() -> bool:
    """False."""
    return False


def is_built() -> bool:
    """False."""
    return False
