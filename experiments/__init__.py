"""What recommendations are worth: variants, baselines, new items."""
