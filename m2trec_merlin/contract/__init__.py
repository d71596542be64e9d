"""What export, runtime and clients agree on."""
