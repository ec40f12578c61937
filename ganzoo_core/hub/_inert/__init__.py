"""A pickle reader that builds tensors, plain containers and inert records, and calls nothing."""
