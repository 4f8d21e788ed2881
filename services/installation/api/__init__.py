"""What the installation service answers over HTTP."""
