"""Reading of requests: from ids and raw attributes to catalogue rows, encoded new items and events."""
