"""Checks of what a machine has and lacks for the verbs, and what each lack costs."""
