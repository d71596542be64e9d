"""The steps of a session, each a program."""
