"""Session-based recommendation from item metadata: M2TRec as an NVIDIA Merlin pipeline."""

__version__ = "0.1.0"
