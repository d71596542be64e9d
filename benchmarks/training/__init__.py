"""Compare training of our modes and of other libraries on the same sessions, by time to the same quality."""
