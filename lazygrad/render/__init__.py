"""Machine kernels as source text. Renderers spell instructions; they decide nothing."""
