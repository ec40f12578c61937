"""What can be done with a model, a room for each capability.

Each verb is a function whose first argument is the model; `ganzoo_core.model.Model` binds it as its
method of the same name. `parts` is what the rooms share.
"""
