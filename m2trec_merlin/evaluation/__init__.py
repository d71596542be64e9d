"""Ranking metrics, slices, baselines and reports; the model is seen through `ItemScorer` only."""
