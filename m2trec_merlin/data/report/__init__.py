"""The data report: what a person should know of the data before training."""
