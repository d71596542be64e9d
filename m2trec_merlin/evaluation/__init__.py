"""Ranking metrics, slices and reports; the model is seen through `ItemScorer` only."""
