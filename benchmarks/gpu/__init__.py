"""Measurements on a machine with a GPU that is at hand for half an hour, and what has to be brought there."""
