"""What the installation service does without being asked."""
