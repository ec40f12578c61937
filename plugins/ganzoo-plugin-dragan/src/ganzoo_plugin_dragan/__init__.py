"""DRAGAN (Kodali et al. 2017), a ganzoo plugin."""
