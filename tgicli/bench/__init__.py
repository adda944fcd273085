"""Load on any Backend, what it stamps, and the figures that follow from the stamps."""
