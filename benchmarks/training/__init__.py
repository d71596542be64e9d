"""Training compared: our modes and other libraries on the same sessions, by time to the same quality."""
