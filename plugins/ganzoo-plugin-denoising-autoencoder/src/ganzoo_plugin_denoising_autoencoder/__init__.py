"""Denoising autoencoders, alone and stacked (Vincent et al. 2008, 2010), a ganzoo plugin."""
