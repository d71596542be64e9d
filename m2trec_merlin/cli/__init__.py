"""The command line: a verb for each arrow of the data flow."""
