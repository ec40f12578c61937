"""Boundary equilibrium GAN (Berthelot, Schumm and Metz 2017), a ganzoo plugin."""
