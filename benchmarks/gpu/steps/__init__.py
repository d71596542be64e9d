"""The steps of a session, a program each."""
