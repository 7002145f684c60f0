"""Priors: their densities, the default sets, what a user or a call states, and what they imply."""
