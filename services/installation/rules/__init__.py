"""What the installation service decides."""
