"""Experiments on the quality of recommendations: variants, baselines, new items."""
