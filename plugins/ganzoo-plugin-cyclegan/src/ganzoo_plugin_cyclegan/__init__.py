"""CycleGAN (Zhu, Park, Isola and Efros 2017), a ganzoo plugin."""
