"""Models, written naively with Tensor operations."""
