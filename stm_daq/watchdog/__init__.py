"""A second process that brings the station to its safe state when the first one dies or hangs."""
