"""Adaptation by domain confusion (Tzeng et al. 2015), a ganzoo plugin."""
