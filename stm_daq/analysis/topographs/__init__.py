"""Images: levelled and aligned, roughness and grains, drift, waves and lattices."""
