"""`keyturn bench access`: decisions about access, beside others on the same data."""
