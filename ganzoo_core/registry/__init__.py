"""The registry: which plugins others can install, and which papers nobody has written one for.

`registry.json` is made of the plugins' own manifests. Reading and searching it (`reading`,
`searching`) imports next to nothing; `schema` and `validation` are the authority on what it may
say; `entries` makes it from wheels, `updating` fetches a newer one, and `installing` turns a name
into an installed plugin.
"""
