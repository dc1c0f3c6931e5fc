"""Numbers that the compiled functions of the table engine and their callers agree on."""

AXES = 3
"""Coordinates of a table: gap, logarithm of the temperature, reflection."""
SCALE, OFFSET = 3, 4
"""Their successors in `theta`."""
SIZE = 5
"""Length of `theta`."""
ROWS = 5
"""Rows of the model: value, derivatives by the coordinates, derivative by the offset."""
LANES = 16
"""Components handled together; ranks are multiples of it."""
FOUR = 4
"""Spectra handled together."""
SIGNS = 8
"""What is measured of residuals: the columns of `kernel_noise.diagnose`, then of `kernel_even.fold`."""
