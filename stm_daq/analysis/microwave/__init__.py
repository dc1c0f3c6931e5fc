"""Power sweeps: branches, loops, maps of switching powers, and what those say of the film."""
