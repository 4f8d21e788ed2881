"""What the access service keeps, and its copies of what others announced."""
