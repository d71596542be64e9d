"""Changes of an export's catalogue without training: items are added, updated, removed and hidden."""
