"""The versions of the catalogue that requests are answered from."""
