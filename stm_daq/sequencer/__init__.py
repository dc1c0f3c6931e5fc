"""How a plan is measured: the site loop, the feedback hold, the sweep, and stopping."""
