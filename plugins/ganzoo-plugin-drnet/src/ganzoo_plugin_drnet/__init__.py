"""DrNet (Denton and Birodkar 2017), a ganzoo plugin."""
