"""Starting, watching and stopping a Triton server on this machine."""
