"""Search for the best candidates for the queries of sessions."""
