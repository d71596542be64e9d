"""The version of this package, as results name it."""

__version__ = "0.1.0"
