"""What is measured side by side, each started and ended by a context manager."""
