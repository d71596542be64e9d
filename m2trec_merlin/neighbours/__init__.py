"""Items of similar sessions and of similar words, and their mixture with a model."""
