"""The life of a Triton server on this machine."""
