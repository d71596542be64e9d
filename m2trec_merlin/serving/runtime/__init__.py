"""What runs inside Triton: imports neither torch nor Merlin where ids are known."""
