"""The fair comparison: variants on the same data, networks, budget, seeds and metrics.

planning.py    decides, before anything is trained, who takes part on which terms
running.py     one run after another, each with an outcome that is written once it is known
on_ray.py      the same runs on the workers of a Ray cluster
summary.py     means and spreads over the seeds, and the ranking
table.py, page.py, picture.py    what people read
"""
