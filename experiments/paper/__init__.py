"""The paper's experiment: every variant and every baseline on one split, measured by one module."""
