"""From sessions of catalogue rows to recommendations and their explanations."""
