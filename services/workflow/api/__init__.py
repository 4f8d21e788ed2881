"""What the workflow service answers over HTTP."""
