"""What is seen of the steps from outside: lines of a log, what was shown."""
