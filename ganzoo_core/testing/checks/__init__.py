"""The checks: a function each, whose first line is what the contract asks.

A check returns where the promise is kept, and raises `NotKeptError` with one sentence where it is
not, or `NotApplicableError` where there is nothing to look at.
"""

from ganzoo_core.testing.checks import components, manifests, shapes, training, variants

OF_PLUGINS = (
    manifests.manifest_is_valid,
    manifests.imports_within_budget,
    manifests.published_weights_can_be_read,
)
"""Taking the installed `Plugin`."""

OF_COMPONENTS = (
    components.manifest_agrees_with_hooks,
    components.config_round_trips,
    components.config_rejects_nonsense,
    components.builds_on_cpu_and_meta,
    shapes.shapes_and_range,
    components.inputs_unchanged,
    components.random_state_untouched,
)
"""Taking a `ComponentSubject`."""

OF_VARIANTS = (
    variants.recipe_resolves,
    variants.claims_can_be_measured,
    variants.verbs_are_true,
    variants.image_sizes_are_true,
    variants.config_round_trips,
    variants.builds_on_cpu_and_meta,
    variants.sampling_is_deterministic,
    variants.inputs_unchanged,
    variants.random_state_untouched,
    variants.saved_model_is_equal,
    variants.generator_exports,
    training.phases_train_their_networks_only,
    training.passes_as_declared,
    training.losses_never_wait,
    training.loss_falls,
    training.resume_equals_straight_run,
)
"""Taking a `VariantSubject`."""
