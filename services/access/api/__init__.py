"""What the access service answers over HTTP."""
