"""Benchmarks of time and memory, compared with other libraries."""
