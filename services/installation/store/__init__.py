"""What the installation service keeps, and its copies of what others announced."""
