"""Adversarial discriminative domain adaptation (Tzeng et al. 2017), a ganzoo plugin."""
