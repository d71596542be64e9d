"""From a trained model to a Triton model repository."""
