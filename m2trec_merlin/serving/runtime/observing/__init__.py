"""Observation of the steps from outside: metrics, a log of lines, a log of recommendations."""
