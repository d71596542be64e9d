"""The data report: what a person should know about the data before training."""
