"""Kernels as loops over axes with values inside: built from scheduled kernels, optimized, and lowered."""
