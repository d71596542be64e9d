"""The paper's tables: every variant and baseline on one data set."""
