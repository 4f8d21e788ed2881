"""Loads what rules need and saves what they decided, any number at once."""
