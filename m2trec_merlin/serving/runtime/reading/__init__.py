"""What a request says: catalogue rows, encoded new items and events."""
