"""My translator, an image translator for ganzoo."""
