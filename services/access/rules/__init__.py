"""What the access service decides."""
