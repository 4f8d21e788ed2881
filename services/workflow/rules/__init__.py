"""What the workflow service allows. Pure: no clock, no database, no broker."""
