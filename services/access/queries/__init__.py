"""What the access service reads for people."""
