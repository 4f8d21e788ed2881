"""Reads for people: pages and lists, as the reader, of one brand."""
