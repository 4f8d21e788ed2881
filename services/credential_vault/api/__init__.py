"""What the vault answers over HTTP."""
