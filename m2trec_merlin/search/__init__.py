"""Search: the best candidates for the queries of sessions."""
