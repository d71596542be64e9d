"""Measurements on a machine with a GPU that is available for half an hour, and the kit to take there."""
