"""What the access service reads for those who ask."""
