"""Decisions that are remembered, and how it is known that they still hold."""
