"""Reads for people: extensions, their steps, and licences."""
