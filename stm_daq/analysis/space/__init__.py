"""Statistics over a map or line: spread, correlation, how far it reaches, what it is worth."""
