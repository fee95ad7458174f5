"""The graph: whole-tensor primitives, what they mean, and rewrites of them."""
