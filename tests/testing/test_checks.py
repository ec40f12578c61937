"""Each check catches a plugin that breaks its promise, and says how in one sentence."""

from collections.abc import Callable
from textwrap import dedent, indent
from typing import Any, NamedTuple

import pytest
from testing.toy import DISTRIBUTION

from ganzoo_core.testing import Result, check_distribution
from ganzoo_core.testing.kit import cases_of

Install = Callable[..., None]


class Defect(NamedTuple):
    """A way to break the toy plugin, and what the kit must say of it."""

    check: str
    subject: str
    sentence: str
    """Words that the failing check's sentence holds."""
    defect: dict[str, Any]


def parts(source: str) -> dict[str, str]:
    return {"parts": source}


def hooks(source: str) -> dict[str, str]:
    return {"hooks": source}


def variant(**changes: Any) -> dict[str, Any]:
    """Change entries of the variant in the manifest."""
    return {"change": lambda manifest: manifest["variants"][0].update(changes)}


def recipe(**changes: Any) -> dict[str, Any]:
    return {"change": lambda manifest: manifest["variants"][0]["recipe"].update(changes)}


def tiny(**changes: Any) -> dict[str, Any]:
    return {"change": lambda manifest: manifest["variants"][0]["tiny"].update(changes)}


def subclass(name: str, body: str) -> dict[str, str]:
    """Put a subclass in the place of one of the toy's classes."""
    inner = indent(dedent(body), "    ")
    return parts(f"\n\nclass Broken({name}):\n{inner}\n\n{name} = Broken\n")


def generator(body: str) -> dict[str, str]:
    return subclass("ToyGenerator", body)


def discriminator(body: str) -> dict[str, str]:
    return subclass("ToyDiscriminator", body)


def loss(body: str) -> dict[str, str]:
    return subclass("ToyLoss", body)


def regularizer(body: str) -> dict[str, str]:
    return subclass("ToyRegularizer", body)


def trainer(body: str) -> dict[str, str]:
    return subclass("ToyTrainer", body)


def config(body: str) -> dict[str, str]:
    return subclass("NetworkConfig", body)


def claiming(metric: str) -> dict[str, Any]:
    """Declare a claim with a small run."""
    run = {"steps": 2}
    claim = {
        "name": "toy-claim",
        "metric": metric,
        "data": "digits",
        "value": 1.0,
        "better": "lower",
        "source": "table 1",
        "small": run,
        "why_not": "The paper's budget is more than a toy is worth.",
    }
    return variant(claims=[claim])


DEFECTS = {
    "a key that the schema does not know": Defect(
        "manifest_is_valid", DISTRIBUTION, "malformed at variants.0.speed", variant(speed=3)
    ),
    "another API version": Defect(
        "manifest_is_valid",
        DISTRIBUTION,
        "plugin API 9.0",
        {"change": lambda manifest: manifest.update(api="9.0")},
    ),
    "a component named twice": Defect(
        "manifest_is_valid",
        DISTRIBUTION,
        "'toy' occurs more often",
        {"change": lambda m: m["components"]["losses"].append({"name": "toy", "summary": ""})},
    ),
    "a hook with another signature": Defect(
        "manifest_is_valid",
        DISTRIBUTION,
        "banana",
        hooks("\n@hookimpl\ndef ganzoo_encoder(component, banana):\n    return None\n"),
    ),
    "a module that exits": Defect(
        "manifest_is_valid", DISTRIBUTION, "SystemExit", hooks("\nimport sys\nsys.exit(0)\n")
    ),
    "an import of torch": Defect(
        "imports_within_budget", DISTRIBUTION, "imports numpy, torch", hooks("\nimport torch\n")
    ),
    "published files that no hook reads": Defect(
        "published_weights_can_be_read",
        DISTRIBUTION,
        "must implement ganzoo_read_checkpoint",
        variant(
            pretrained=[
                {
                    "tag": "found",
                    "summary": "",
                    "license": "MIT",
                    "layout": "authors",
                    "repo": "authors/toy",
                    "revision": "main",
                    "files": [{"path": "toy.pth"}],
                    "untried": "never seen",
                }
            ]
        ),
    ),
    "a hook that returns something else": Defect(
        "manifest_agrees_with_hooks",
        "generator/toy",
        "must return a Generator for 'toy' and returned an object of type Linear",
        parts("\n\ndef ToyGenerator(config):\n    return nn.Linear(2, 2)\n"),
    ),
    "a hook that returns nothing": Defect(
        "manifest_agrees_with_hooks",
        "loss/toy",
        "returned nothing",
        parts("\n\ndef ToyLoss():\n    return None\n"),
    ),
    "a component that no config is for": Defect(
        "manifest_agrees_with_hooks",
        "encoder/ghost",
        "must return a subclass of Config",
        {
            "change": lambda manifest: manifest["components"].update(
                encoders=[{"name": "ghost", "summary": "Nowhere"}]
            )
        },
    ),
    "a setting without a default": Defect(
        "manifest_agrees_with_hooks",
        "generator/toy",
        "default that is valid",
        config("momentum: float"),
    ),
    "a setting that JSON loses": Defect(
        "config_round_trips",
        "generator/toy",
        "must be the same after JSON",
        config("depth: int = Field(default=1, exclude=True)") | tiny(depth=2),
    ),
    "a setting that the run's record loses": Defect(
        "config_round_trips",
        "toy",
        "a blueprint must be the same after JSON",
        config("depth: int = Field(default=1, exclude=True)") | tiny(depth=2),
    ),
    "a config that takes any key": Defect(
        "config_rejects_nonsense",
        "generator/toy",
        "must refuse no_such_setting = 1",
        config("model_config = {'extra': 'allow'}"),
    ),
    "a config that takes NaN": Defect(
        "config_rejects_nonsense",
        "generator/toy",
        "must refuse gain = nan",
        config("model_config = {'allow_inf_nan': True}"),
    ),
    "a config that takes a negative width": Defect(
        "config_rejects_nonsense",
        "discriminator/toy",
        "must refuse width = -1",
        config("width: int = 64"),
    ),
    "a config that takes any type": Defect(
        "config_rejects_nonsense",
        "generator/toy",
        "must refuse gain = an object of no type",
        config("gain: object = 1.0"),
    ),
    "a buffer whose device is written down": Defect(
        "builds_on_cpu_and_meta",
        "generator/toy",
        "scale of generator/toy is on the cpu",
        generator(
            """
            def __init__(self, config):
                super().__init__(config)
                self.register_buffer('scale', torch.ones(3, device='cpu'))
            """
        ),
    ),
    "a large tensor on the way to meta": Defect(
        "builds_on_cpu_and_meta",
        "generator/toy",
        "made a tensor of 10000 numbers",
        generator(
            """
            def __init__(self, config):
                super().__init__(config)
                self.mean = float(torch.ones(100, 100, device='cpu').mean())
            """
        ),
    ),
    "weights that depend on the device": Defect(
        "builds_on_cpu_and_meta",
        "discriminator/toy",
        "bias of discriminator/toy is float32 [1] on the CPU and float32 [2] on meta",
        discriminator(
            """
            def __init__(self, config):
                super().__init__(config)
                size = 2 if self.layers[0].weight.is_meta else 1
                self.bias = nn.Parameter(torch.zeros(size))
            """
        ),
    ),
    "a trainer that reads weights while it is built": Defect(
        "builds_on_cpu_and_meta",
        "toy",
        "ganzoo_trainer",
        trainer(
            """
            def __init__(self, config, parts):
                super().__init__(config, parts)
                self.first = next(self.networks['generator'].parameters())[0, 0].item()
            """
        ),
    ),
    "images outside of their range": Defect(
        "shapes_and_range",
        "generator/toy",
        "must be in [-1, 1]",
        generator(
            """
            def forward(self, latents, labels=None):
                return self.layers(latents).view(-1, *self.image_shape)
            """
        ),
    ),
    "images beyond the range in eval mode, of a generator that is linear while it trains": Defect(
        "shapes_and_range",
        "generator/toy",
        "must be in [-1, 1]",
        generator(
            """
            linear = True

            def forward(self, latents, labels=None):
                return self.layers(latents).view(-1, *self.image_shape)
            """
        ),
    ),
    "flat images": Defect(
        "shapes_and_range",
        "generator/toy",
        "images must have the shape [3, 1, 8, 8]",
        generator(
            """
            def forward(self, latents, labels=None):
                return self.layers(latents).tanh()
            """
        ),
    ),
    "images in double precision": Defect(
        "shapes_and_range",
        "generator/toy",
        "must be float32",
        generator(
            """
            def forward(self, latents, labels=None):
                return super().forward(latents).double()
            """
        ),
    ),
    "latents of another shape than is said": Defect(
        "shapes_and_range",
        "generator/toy",
        "latents must have the shape [3, 4]",
        generator(
            """
            def latents(self, count, noise):
                return noise.normal(count, *self.latent_shape, 1)

            def forward(self, latents, labels=None):
                return super().forward(latents.flatten(1))
            """
        ),
    ),
    "an image shape of two numbers": Defect(
        "shapes_and_range",
        "generator/toy",
        "(channels, height, width)",
        generator(
            """
            def __init__(self, config):
                super().__init__(config)
                self.latent_shape = list(self.latent_shape)
                self.image_shape = (8, 8)
            """
        ),
    ),
    "a discriminator that returns a tensor": Defect(
        "shapes_and_range",
        "discriminator/toy",
        "must return a DiscriminatorOutput",
        discriminator(
            """
            def forward(self, images, labels=None):
                return self.layers(images.flatten(1))
            """
        ),
    ),
    "one logit for the whole batch": Defect(
        "shapes_and_range",
        "discriminator/toy",
        "must have a row for each of 3 images",
        discriminator(
            """
            def forward(self, images, labels=None):
                return DiscriminatorOutput(super().forward(images).logits.mean())
            """
        ),
    ),
    "a loss for each image": Defect(
        "shapes_and_range",
        "loss/toy",
        "must be scalars",
        loss("""
            def generator(self, fake):
                return softplus(-fake.logits)
            """),
    ),
    "a loss that ignores the fakes": Defect(
        "shapes_and_range",
        "loss/toy",
        "must depend on what is said of the fakes",
        loss("""
            def discriminator(self, real, fake):
                return fake.logits.sum() * 0
            """),
    ),
    "a regulariser that does nothing": Defect(
        "shapes_and_range",
        "regularizer/toy",
        "must penalise or constrain",
        regularizer("""
            def penalty(self, judged, noise):
                return None
            """),
    ),
    "a penalty a judgement": Defect(
        "shapes_and_range",
        "regularizer/toy",
        "a penalty must be a scalar",
        regularizer("""
            def penalty(self, judged, noise):
                return judged.judge(judged.real).logits
            """),
    ),
    "a penalty that ignores the critic": Defect(
        "shapes_and_range",
        "regularizer/toy",
        "must depend on the critic's weights",
        regularizer("""
            def penalty(self, judged, noise):
                return (judged.real.mean().requires_grad_() - 1) ** 2
            """),
    ),
    "a penalty that changes the real images": Defect(
        "inputs_unchanged",
        "regularizer/toy",
        "in place",
        regularizer("""
            def penalty(self, judged, noise):
                return judged.judge(judged.real.mul_(0.5)).logits.square().mean()
            """),
    ),
    "a penalty from the global generator": Defect(
        "random_state_untouched",
        "regularizer/toy",
        "random",
        regularizer("""
            def penalty(self, judged, noise):
                images = judged.real + torch.randn(judged.real.shape)
                return judged.judge(images).logits.square().mean()
            """),
    ),
    "latents changed in place": Defect(
        "inputs_unchanged",
        "generator/toy",
        "changed one of shape [3, 4] in place",
        generator(
            """
            def forward(self, latents, labels=None):
                return super().forward(latents.clamp_(-1, 1))
            """
        ),
    ),
    "images changed in place": Defect(
        "inputs_unchanged",
        "discriminator/toy",
        "changed one of shape [3, 1, 8, 8] in place",
        discriminator(
            """
            def __init__(self, config):
                super().__init__(config)
                self.layers.insert(0, nn.ReLU(inplace=True))
            """
        ),
    ),
    "logits changed in place": Defect(
        "inputs_unchanged",
        "loss/toy",
        "loss/toy changed one of shape [3]",
        loss(
            """
            def discriminator(self, real, fake):
                real.logits.detach().mul_(0.9)
                return super().discriminator(real, fake)
            """
        ),
    ),
    "a decoded prompt that becomes zeros": Defect(
        "inputs_unchanged",
        "toy",
        "decode of toy changed",
        generator(
            """
            def forward(self, latents, labels=None):
                images = super().forward(latents)
                if not self.training:
                    latents.zero_()
                return images
            """
        ),
    ),
    "a batch changed in place": Defect(
        "inputs_unchanged",
        "toy",
        "the phase 'discriminator' of toy changed one of shape [8, 1, 8, 8] in place",
        trainer(
            """
            def loss(self, phase, batch, step):
                batch.images.neg_()
                return super().loss(phase, batch, step)
            """
        ),
    ),
    "dropout from the global generator": Defect(
        "random_state_untouched",
        "discriminator/toy",
        "running discriminator/toy touched the global random state of torch",
        discriminator(
            """
            def __init__(self, config):
                super().__init__(config)
                self.layers.insert(1, nn.Dropout())
            """
        ),
    ),
    "weights drawn by NumPy": Defect(
        "random_state_untouched",
        "generator/toy",
        "building generator/toy touched the global random state of numpy",
        generator(
            """
            def __init__(self, config):
                super().__init__(config)
                import numpy
                numpy.random.rand()
            """
        ),
    ),
    "a trainer that seeds everything": Defect(
        "random_state_untouched",
        "toy",
        "building toy touched the global random state of torch and random",
        trainer(
            """
            def __init__(self, config, parts):
                super().__init__(config, parts)
                import random
                torch.manual_seed(0)
                random.seed(0)
            """
        ),
    ),
    "a trainer that draws its own latents": Defect(
        "random_state_untouched",
        "toy",
        "training toy touched the global random state of torch",
        trainer(
            """
            def fakes(self, batch, step):
                return self.networks['generator'](torch.randn(len(batch), 4))
            """
        ),
    ),
    "a preset with a misspelt setting": Defect(
        "recipe_resolves",
        "toy",
        "preset 'small', and: unknown setting 'widht'",
        variant(presets={"small": {"summary": "", "settings": {"widht": 8}}}),
    ),
    "a default with a misspelt setting": Defect(
        "recipe_resolves",
        "toy",
        "its defaults, and: unknown setting 'trainer.rl'",
        variant(defaults={"trainer.rl": 0.003}),
    ),
    "a recipe with a component that is not there": Defect(
        "recipe_resolves", "toy", "unknown loss", recipe(loss=f"{DISTRIBUTION}/tyo")
    ),
    "a model that keeps a network that is not there": Defect(
        "recipe_resolves", "toy", "keeps 'decoder', which is none", recipe(inference=["decoder"])
    ),
    "a phase for a network that is not there": Defect(
        "recipe_resolves",
        "toy",
        "trains 'critic', which is none",
        trainer("""
            def phases(self):
                return (Phase('critic', ('critic',), Adam()),)
            """),
    ),
    "a verb that the model lacks": Defect(
        "verbs_are_true",
        "toy",
        "says sample, encode where the model can",
        variant(verbs=["sample", "encode"]),
    ),
    "an image size that does not build": Defect(
        "image_sizes_are_true", "toy", "toy at 32 says", variant(image_sizes=[8, 16, 32])
    ),
    "an image size that is not listed": Defect(
        "image_sizes_are_true", "toy", "toy accepts 16", variant(image_sizes=[8])
    ),
    "an image size that is ignored": Defect(
        "image_sizes_are_true",
        "toy",
        "the generator of toy at 16 has image_shape (1, 8, 8)",
        generator(
            """
            def __init__(self, config):
                super().__init__(config.model_copy(update={'image_size': 8}))
            """
        ),
    ),
    "batch statistics while sampling": Defect(
        "sampling_is_deterministic",
        "toy",
        "must not depend on the batch size",
        generator(
            """
            def __init__(self, config):
                super().__init__(config)
                self.layers[1] = nn.BatchNorm1d(config.width, track_running_stats=False)
            """
        ),
    ),
    "latents that ignore the seed": Defect(
        "sampling_is_deterministic",
        "toy",
        "another seed must give other images",
        generator(
            """
            def latents(self, count, noise):
                return torch.linspace(-1, 1, 4).expand(count, 4).clone()
            """
        ),
    ),
    "latents from the global generator": Defect(
        "sampling_is_deterministic",
        "toy",
        "a seed must give the same images twice",
        generator("""
            def latents(self, count, noise):
                return torch.randn(count, 4)
            """),
    ),
    "a buffer that is not saved": Defect(
        "saved_model_is_equal",
        "toy",
        "outside of its state dict",
        generator(
            """
            def __init__(self, config):
                super().__init__(config)
                self.register_buffer('scale', torch.ones(1), persistent=False)
            """
        ),
    ),
    "something learned in a plain attribute": Defect(
        "saved_model_is_equal",
        "toy",
        "is another after loading",
        generator(
            """
            calls = 0

            def forward(self, latents, labels=None):
                self.calls += self.training
                return super().forward(latents) / (1 + self.calls)
            """
        ),
    ),
    "a generator whose code depends on its numbers": Defect(
        "generator_exports",
        "toy",
        "torch.export must take the generator",
        generator(
            """
            def forward(self, latents, labels=None):
                images = super().forward(latents)
                return images if images.sum() > 0 else -images
            """
        ),
    ),
    "a discriminator's step that reaches the generator": Defect(
        "phases_train_their_networks_only",
        "toy",
        "the phase 'discriminator' of toy gives one to layers.0.weight of the generator",
        trainer(
            """
            def loss(self, phase, batch, step):
                if phase.name == 'generator':
                    return super().loss(phase, batch, step)
                self.networks['generator'].requires_grad_(True)
                real = self.networks['discriminator'](batch.images)
                fake = self.networks['discriminator'](self.fakes(batch, step))
                return Losses(self.criterion.discriminator(real, fake))
            """
        ),
    ),
    "a trainer that looks at a loss": Defect(
        "losses_never_wait",
        "toy",
        "that of the phase 'discriminator' of toy does (item)",
        trainer(
            """
            def loss(self, phase, batch, step):
                losses = super().loss(phase, batch, step)
                if phase.name == 'discriminator' and losses.total.item() < 0:
                    raise ValueError('a discriminator has no negative loss')
                return losses
            """
        ),
    ),
    "a trainer that chooses images by a mask": Defect(
        "losses_never_wait",
        "toy",
        "does (a mask as an index)",
        trainer(
            """
            def loss(self, phase, batch, step):
                batch.images[batch.images.mean((1, 2, 3)) > 2] *= 0.5
                return super().loss(phase, batch, step)
            """
        ),
    ),
    "a generator's step that reaches the discriminator": Defect(
        "phases_train_their_networks_only",
        "toy",
        "the phase 'generator' of toy gives one to layers.0.weight of the discriminator",
        trainer(
            """
            def loss(self, phase, batch, step):
                self.networks['discriminator'].requires_grad_(True)
                return super().loss(phase, batch, step)
            """
        ),
    ),
    "a network that its phase does not train": Defect(
        "phases_train_their_networks_only",
        "toy",
        "the phase 'generator' of toy gives the discriminator no gradient",
        trainer(
            """
            def phases(self):
                both = ('generator', 'discriminator')
                return (Phase('discriminator', both[1:], Adam()), Phase('generator', both, Adam()))

            def loss(self, phase, batch, step):
                if phase.name == 'generator':
                    self.networks['discriminator'].requires_grad_(False)
                return super().loss(phase, batch, step)
            """
        ),
    ),
    "a trainer that goes backward by itself": Defect(
        "phases_train_their_networks_only",
        "toy",
        "must leave backward() to the engine",
        trainer(
            """
            def loss(self, phase, batch, step):
                losses = super().loss(phase, batch, step)
                losses.total.backward(retain_graph=True)
                return losses
            """
        ),
    ),
    "a trainer that steps by itself": Defect(
        "phases_train_their_networks_only",
        "toy",
        "steps SGD by itself",
        trainer(
            """
            def loss(self, phase, batch, step):
                torch.optim.SGD(self.networks['generator'].parameters()).step()
                return super().loss(phase, batch, step)
            """
        ),
    ),
    "a trainer that moves weights by itself": Defect(
        "phases_train_their_networks_only",
        "toy",
        "the phase 'discriminator' of toy moves layers.0.weight of the generator",
        trainer(
            """
            def loss(self, phase, batch, step):
                with torch.no_grad():
                    self.networks['generator'].layers[0].weight.mul_(0.999)
                return super().loss(phase, batch, step)
            """
        ),
    ),
    "passes that nobody counted": Defect(
        "passes_as_declared",
        "toy",
        "costs the generator 4 forward-equivalents where 3 are declared",
        trainer("""
            def passes(self):
                return {'generator': 3, 'discriminator': 8}
            """),
    ),
    "a forward pass too many": Defect(
        "passes_as_declared",
        "toy",
        "costs the discriminator 9 forward-equivalents where 8 are declared",
        trainer(
            """
            def loss(self, phase, batch, step):
                if phase.name == 'generator':
                    self.networks['discriminator'](batch.images)
                return super().loss(phase, batch, step)
            """
        ),
    ),
    "a frozen network that is let go": Defect(
        "passes_as_declared",
        "toy",
        "costs the generator 6 forward-equivalents where 4 are declared",
        trainer(
            """
            def loss(self, phase, batch, step):
                if phase.name == 'generator':
                    return super().loss(phase, batch, step)
                self.networks['generator'].requires_grad_(True)
                real = self.networks['discriminator'](batch.images)
                fake = self.networks['discriminator'](self.fakes(batch, step))
                return Losses(self.criterion.discriminator(real, fake))
            """
        ),
    ),
    "passes of a network that is not there": Defect(
        "passes_as_declared",
        "toy",
        "names generator, critic",
        trainer("""
            def passes(self):
                return {'generator': 4, 'critic': 8}
            """),
    ),
    "a gradient with the wrong sign": Defect(
        "loss_falls",
        "toy",
        "that of 'generator' of toy goes from",
        loss(
            """
            def generator(self, fake):
                total = super().generator(fake)
                return 2 * total.detach() - total
            """
        ),
    ),
    "a claim of a metric that nobody measures": Defect(
        "claims_can_be_measured",
        "toy",
        "toy-claim of toy names 'fidd'; did you mean 'fid'?",
        claiming("fidd"),
    ),
    "a claim of what the model cannot do": Defect(
        "claims_can_be_measured", "toy", "needs one that can translate", claiming("translation-l1")
    ),
    "a memory that is not in the state": Defect(
        "resume_equals_straight_run",
        "toy",
        "bit for bit",
        trainer(
            """
            steps = 0

            def loss(self, phase, batch, step):
                self.steps += 1
                losses = super().loss(phase, batch, step)
                return Losses(losses.total * self.steps**2 + losses.total**2)
            """
        ),
    ),
    "fakes from the global generator": Defect(
        "resume_equals_straight_run",
        "toy",
        "bit for bit",
        trainer(
            """
            def fakes(self, batch, step):
                return self.networks['generator'](torch.randn(len(batch), 4))
            """
        ),
    ),
}


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS.keys())
def test_a_check_catches(install: Install, defect: Defect) -> None:
    install(**defect.defect)

    result = result_of(defect.check, defect.subject)

    assert result.status == "failed", result
    assert defect.sentence in result.sentence
    assert "\n" not in result.sentence


def test_every_check_has_a_plugin_that_it_catches(install: Install) -> None:
    install()
    checks = {(case.check, kind_of(case.subject)) for case in cases_of(DISTRIBUTION)}
    assert checks == {(defect.check, kind_of(defect.subject)) for defect in DEFECTS.values()}


def test_a_claim_of_a_metric_that_exists_is_right(install: Install) -> None:
    install(**claiming("fid"))
    assert result_of("claims_can_be_measured", "toy").status == "passed"


def test_without_a_run_a_claim_may_name_what_ganzoo_does_not_measure(install: Install) -> None:
    change = claiming("human judgement")

    def without_run(manifest: dict[str, Any]) -> None:
        change["change"](manifest)
        del manifest["variants"][0]["claims"][0]["small"]

    install(change=without_run)
    assert result_of("claims_can_be_measured", "toy").status == "not applicable"


def test_a_sound_plugin_passes_every_check(install: Install) -> None:
    install()
    report = check_distribution(DISTRIBUTION)
    assert report.failed == ()
    assert report.counts()["passed"] > 30


def test_a_reason_against_export_is_respected(install: Install) -> None:
    install(**variant(no_export="it draws noise in every layer"))
    result = result_of("generator_exports", "toy")
    assert result.status == "not applicable"
    assert "it draws noise in every layer" in result.sentence


def test_a_generator_may_be_linear_while_it_trains(install: Install) -> None:
    install(
        **generator(
            """
            linear = True

            def forward(self, latents, labels=None):
                images = self.layers(latents).view(-1, *self.image_shape)
                return images if self.training else images.clamp(-1, 1)
            """
        )
    )
    assert result_of("shapes_and_range", "generator/toy").status == "passed"


MAPPED = """
    style_size, style_layers = 5, 2

    def __init__(self, config):
        super().__init__(config)
        self.mapping = nn.Linear(config.latent_size, 5)
        self.drawing = nn.Linear(5, math.prod(self.image_shape))
        self.register_buffer("style_mean", torch.zeros(5))

    def map(self, latents, labels=None):
        return self.mapping(latents)

    def synthesize(self, styles, noise="drawn"):
        styles = self.broadcast(styles).mean(1)
        return self.drawing(styles).tanh().view(-1, *self.image_shape)

    forward = MappedGenerator.forward
"""


def mapped(body: str = "") -> dict[str, str]:
    """Let the toy's generator map its latents, with some of it in another way."""
    named = "\n\nfrom ganzoo_core.components import MappedGenerator\n\n\n"
    inner = MAPPED + indent(dedent(body), "    ")
    return parts(
        f"{named}class Mapped(MappedGenerator, ToyGenerator):\n{inner}\n\nToyGenerator = Mapped\n"
    )


def test_a_generator_may_have_styles(install: Install) -> None:
    install(**mapped())
    assert result_of("shapes_and_range", "generator/toy").status == "passed"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("style_size = 4", "styles must have the shape [3, 4]"),
        (
            """
            def synthesize(self, styles, noise="drawn"):
                if styles.dim() == 3:
                    styles = styles.sum(1)
                return self.drawing(styles).tanh().view(-1, *self.image_shape)
            """,
            "one style for all layers must draw what as many of the same draw",
        ),
    ],
)
def test_styles_that_break_their_contract_are_caught(
    install: Install, body: str, sentence: str
) -> None:
    install(**mapped(body))
    result = result_of("shapes_and_range", "generator/toy")
    assert result.status == "failed"
    assert sentence in result.sentence


def test_stages_may_have_batches_of_their_own(install: Install) -> None:
    install(
        **trainer(
            """
            def stages(self):
                from ganzoo_core.components import Stage

                return (
                    Stage('few', self.phases(), batch_size=2),
                    Stage('many', self.phases(), batch_size=6),
                )
            """
        )
    )
    for check in ("passes_as_declared", "resume_equals_straight_run", "loss_falls"):
        assert result_of(check, "toy").status == "passed"


def test_state_that_the_trainer_keeps_in_its_tensors_survives(install: Install) -> None:
    install(
        **trainer(
            """
            def loss(self, phase, batch, step):
                steps = self.state.get('steps', torch.zeros(())) + 1
                self.state['steps'] = steps
                losses = super().loss(phase, batch, step)
                return Losses(losses.total * steps**2 + losses.total**2)
            """
        )
    )
    assert result_of("resume_equals_straight_run", "toy").status == "passed"


def test_a_critic_may_clip_its_own_weights(install: Install) -> None:
    install(
        **trainer(
            """
            def loss(self, phase, batch, step):
                if phase.name == 'discriminator':
                    with torch.no_grad():
                        for weight in self.networks['discriminator'].parameters():
                            weight.clamp_(-0.1, 0.1)
                return super().loss(phase, batch, step)
            """
        )
    )
    assert result_of("phases_train_their_networks_only", "toy").status == "passed"


def test_a_linear_critic_is_not_blamed_for_having_no_second_layer(install: Install) -> None:
    install(
        **discriminator(
            """
            def __init__(self, config):
                super().__init__(config)
                self.layers = nn.Sequential(nn.Linear(math.prod(self.image_shape), 1))
            """
        )
    )
    assert result_of("passes_as_declared", "toy").status == "passed"


def test_a_later_stage_is_checked_too(install: Install) -> None:
    install(
        **trainer(
            """
            def stages(self):
                from ganzoo_core.components import Stage

                both = ('generator', 'discriminator')
                late = (Phase('late', both, Adam()),)
                return (Stage('early', self.phases(), 9), Stage('late', late, 1))

            def loss(self, phase, batch, step):
                if step.stage == 'late':
                    fakes = self.fakes(batch, step)
                    return Losses((fakes - batch.images).square().mean())
                return super().loss(phase, batch, step)
            """
        )
    )
    result = result_of("phases_train_their_networks_only", "toy")
    assert "the phase 'late' of toy gives the discriminator no gradient" in result.sentence
    assert result_of("resume_equals_straight_run", "toy").status == "passed"


ENCODER_HOOK = """

@hookimpl
def ganzoo_encoder(component, config):
    from ganzoo_plugin_toy import parts

    return parts.ToyEncoder(config)
"""

AUTOENCODER = """

from ganzoo_core.components import Code, Encoder

FAULT = ''


class ToyEncoder(Encoder):
    def __init__(self, config):
        super().__init__()
        self.image_shape = (config.channels, config.image_size, config.image_size)
        self.latent_shape = (config.latent_size,)
        self.hidden = nn.Linear(math.prod(self.image_shape), config.width)
        self.last = nn.Linear(config.width, 2 * config.latent_size)

    def forward(self, images):
        if FAULT == 'in place':
            images.neg_()
        mean, log_variance = self.last(self.hidden(images.flatten(1)).relu()).chunk(2, 1)
        if FAULT == 'shape':
            mean = mean[:, :1]
        indices = mean.int() if FAULT == 'indices' else None
        return Code(mean, log_variance, indices)


class ToyTrainer(Trainer):
    def phases(self):
        return (Phase('both', ('encoder', 'generator'), Adam(lr=1e-3)),)

    def loss(self, phase, batch, step):
        code = self.networks['encoder'](batch.images)
        restored = self.networks['generator'](code.draw(step.noise))
        divergence = (code.mean**2 + code.log_variance.exp() - code.log_variance - 1).sum(1) / 2
        error = (restored - batch.images).square().flatten(1).sum(1)
        return Losses((error + divergence).mean())

    def passes(self):
        return {'encoder': 3, 'generator': 3}


def configs():
    return {
        'generator/toy': NetworkConfig, 'encoder/toy': NetworkConfig, 'trainer/toy': TrainerConfig
    }
"""


def install_autoencoder(install: Install, fault: str = "") -> None:
    def change(manifest: dict[str, Any]) -> None:
        components, entry = manifest["components"], manifest["variants"][0]
        components["encoders"] = components.pop("discriminators")
        del components["losses"], components["regularizers"], entry["recipe"]["loss"]
        networks = entry["recipe"]["networks"]
        networks["encoder"] = networks.pop("discriminator") | {"kind": "encoder"}
        entry["recipe"]["inference"] = ["encoder", "generator"]
        entry["verbs"] += ["encode", "reconstruct"]

    parts = AUTOENCODER.replace("FAULT = ''", f"FAULT = {fault!r}")
    install(hooks=ENCODER_HOOK, parts=parts, change=change)


def test_a_sound_autoencoder_passes_every_check(install: Install) -> None:
    install_autoencoder(install)
    assert check_distribution(DISTRIBUTION).failed == ()


@pytest.mark.parametrize(
    ("fault", "check", "sentence"),
    [
        ("shape", "shapes_and_range", "mean must have the shape [3, 4]"),
        ("indices", "shapes_and_range", "indices must be int64"),
        ("in place", "inputs_unchanged", "encoder/toy changed one of shape [3, 1, 8, 8]"),
    ],
)
def test_an_encoder_that_breaks_its_contract_is_caught(
    install: Install, fault: str, check: str, sentence: str
) -> None:
    install_autoencoder(install, fault)
    assert sentence in result_of(check, "encoder/toy").sentence


def test_a_loss_paper_is_checked_by_its_components_alone(install: Install) -> None:
    def only_a_loss(manifest: dict[str, Any]) -> None:
        manifest["variants"] = []
        manifest["components"] = {"losses": manifest["components"]["losses"]}

    install(change=only_a_loss)
    report = check_distribution(DISTRIBUTION)
    assert report.failed == ()
    assert {r.subject for r in report.results if r.status == "passed"} == {
        DISTRIBUTION,
        "loss/toy",
    }
    (resume,) = [r for r in report.results if r.check == "resume_equals_straight_run"]
    assert resume.status == "not applicable"


def test_a_plugin_that_does_not_import_fails_once_and_not_everywhere(install: Install) -> None:
    install(hooks="\nraise RuntimeError('no such luck')\n")
    report = check_distribution(DISTRIBUTION)
    assert {result.check for result in report.failed} == {
        "manifest_is_valid",
        "imports_within_budget",
    }
    assert all("no such luck" in result.sentence for result in report.failed)


def test_an_unforeseen_error_is_a_failure_that_says_where(install: Install) -> None:
    install(
        **generator(
            """
            def forward(self, latents, labels=None):
                raise KeyError('styles')
            """
        )
    )
    result = result_of("shapes_and_range", "generator/toy")
    assert result.status == "failed"
    assert "KeyError: 'styles'" in result.sentence
    assert "parts.py:" in result.sentence


def kind_of(subject: str) -> str:
    if subject == DISTRIBUTION:
        return "plugin"
    return "component" if "/" in subject else "variant"


def result_of(check: str, subject: str) -> Result:
    cases = [c for c in cases_of(DISTRIBUTION) if (c.check, c.subject) == (check, subject)]
    assert len(cases) == 1, [case.id for case in cases_of(DISTRIBUTION)]
    return cases[0].result()
