"""Backbones of timm as encoders, a ganzoo plugin."""
