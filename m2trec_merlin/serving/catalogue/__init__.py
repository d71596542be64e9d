"""The catalogue of an export goes on: items are added, updated, removed and hidden, without training."""
