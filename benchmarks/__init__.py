"""What things cost: time and memory, ours beside others'."""
