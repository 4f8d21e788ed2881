"""What the access service keeps, and its copies of what others announced.

Locks are taken in one order: brands, accounts and installations, then what belongs to them; each
by brand and id. A batch that is about several brands may still meet another one the other way
round, because each kind of command locks its own brands: PostgreSQL ends one of the two, and it is
applied again.
"""
