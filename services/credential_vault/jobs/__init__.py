"""What the vault does without being asked."""
