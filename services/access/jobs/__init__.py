"""What the access service does without being asked."""
