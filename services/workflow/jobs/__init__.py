"""What the workflow service does without being asked."""
