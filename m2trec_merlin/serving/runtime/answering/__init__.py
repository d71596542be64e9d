"""From sessions of rows to recommendations, and why these."""
