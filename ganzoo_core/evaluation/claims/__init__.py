"""The papers' headline numbers: what manifests declare, and what was measured of it here.

Nothing in this room imports torch or pydantic, so that looking costs milliseconds; measuring is
`ganzoo_core.reproduce`.
"""
