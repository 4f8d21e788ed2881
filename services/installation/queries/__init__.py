"""What the installation service reads for people."""
