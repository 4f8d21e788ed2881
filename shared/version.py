"""Which version of Keyturn this is; a test holds it against the project's own file."""

VERSION = "0.1.0"
