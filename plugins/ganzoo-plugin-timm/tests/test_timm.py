import pytest
import torch
from ganzoo_plugin_timm.config import TimmEncoderConfig
from ganzoo_plugin_timm.networks import TimmEncoder

from ganzoo_core.blueprint import draw_up
from ganzoo_core.errors import GanzooError
from ganzoo_core.plugins import read_installed
from ganzoo_core.testing import parametrize_with_checks


@parametrize_with_checks("ganzoo-plugin-timm")
def test_conformance(check):
    check()


@pytest.mark.parametrize("backbone", ["resnet10t", "vit_tiny_patch16_224", "mobilenetv3_small_050"])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_backbone_size_and_number_of_channels(backbone, channels):
    config = TimmEncoderConfig(backbone=backbone, image_size=48, channels=channels, latent_size=5)
    images = torch.rand(2, channels, 48, 48) * 2 - 1
    assert TimmEncoder(config).eval()(images).mean.shape == (2, 5)


def test_a_gaussian_code_has_a_bounded_log_variance():
    config = TimmEncoderConfig(backbone="resnet10t", gaussian=True, latent_size=4)
    encoder = TimmEncoder(config).eval()
    with torch.no_grad():
        encoder.to_code.weight.mul_(1e6)
        code = encoder(torch.rand(3, 3, 32, 32))
    assert code.log_variance.shape == (3, 4)
    assert code.log_variance.abs().max() <= 10


def test_pixels_are_normalised_as_the_weights_were_trained():
    encoder = TimmEncoder(TimmEncoderConfig(backbone="resnet18.a1_in1k"))
    assert encoder.pixel_mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    seen = []
    encoder.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    encoder.eval()(torch.ones(1, 3, 32, 32))
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx([2.2489, 2.4286, 2.6400], abs=1e-3)


def test_an_unknown_backbone_gets_the_nearest():
    with pytest.raises(GanzooError, match="did you mean"):
        TimmEncoder(TimmEncoderConfig(backbone="resnet1818"))


def test_a_size_that_a_backbone_cannot_have_is_one_sentence():
    with pytest.raises(GanzooError, match="does not take images of 7 pixels") as caught:
        TimmEncoder(TimmEncoderConfig(backbone="vit_tiny_patch16_224", image_size=7))
    assert "\n" not in str(caught.value)


def test_published_weights_without_a_network_are_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(GanzooError, match=r"cannot be downloaded .* encoder\.pretrained=false"):
        TimmEncoder(TimmEncoderConfig(backbone="resnet10t", pretrained=True))


def test_nothing_is_downloaded_for_the_meta_device():
    with torch.device("meta"):
        encoder = TimmEncoder(TimmEncoderConfig(backbone="resnet10t", pretrained=True))
    assert encoder.to_code.weight.is_meta


def test_classes_are_named_by_a_layer_on_top_of_the_code():
    config = TimmEncoderConfig(backbone="resnet10t", latent_size=5, classes=3)
    code = TimmEncoder(config).eval()(torch.rand(2, 3, 32, 32))
    assert (code.mean.shape, code.logits.shape) == ((2, 5), (2, 3))
    plain = TimmEncoder(TimmEncoderConfig(backbone="resnet10t", latent_size=5))
    assert plain.eval()(torch.rand(2, 3, 32, 32)).logits is None


@pytest.mark.parametrize(("variant", "classes"), [("autoencoder", 0), ("source-only", 10)])
def test_only_variants_that_classify_are_told_the_classes_of_the_data(variant, classes):
    shape = {"image_size": 32, "channels": 1, "classes": 10}
    parts = {"encoder": "timm:resnet10t"}
    blueprint = draw_up(read_installed(), variant, {}, components=parts, shape=shape)
    assert blueprint.networks["encoder"].config.classes == classes
