"""lazygrad: a deep-learning framework that compiles naive Python into fused kernels."""
