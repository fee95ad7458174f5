"""The operations of a Tensor, one family per file; `lazygrad.tensor.Tensor` inherits them all.

Each family is a class over `core.Core` and over the families that it uses, so that a reader (and a type checker)
sees where every method comes from.
"""
