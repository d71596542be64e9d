"""The catalogue that requests are answered from, version after version."""
