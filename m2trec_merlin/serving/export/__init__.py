"""The export of a trained model as a Triton model repository."""
