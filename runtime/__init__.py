"""The devices that kernels run on (installed as ``lazygrad.runtime``)."""
