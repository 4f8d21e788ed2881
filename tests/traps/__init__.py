"""What the client libraries do by default, each with its outcome inverted."""
