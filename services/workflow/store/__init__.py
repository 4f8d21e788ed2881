"""Loads and locks what rules need, and saves what they decided, any number at once.

Locks are taken in one order: engines, accounts, then what belongs to them; each by brand and id.
"""
