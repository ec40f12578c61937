"""The networks of edenton/drnet-py written out, as its files hold them: whole modules."""

from itertools import pairwise

import torch
from torch import nn


class conv_layer(nn.Module):
    def __init__(self, convolution, maps):
        super().__init__()
        self.main = nn.Sequential(convolution, nn.BatchNorm2d(maps), nn.LeakyReLU(0.2))

    def forward(self, x):
        return self.main(x)


def down(a, b):
    return conv_layer(nn.Conv2d(a, b, 4, 2, 1), b)


def up(a, b):
    return conv_layer(nn.ConvTranspose2d(a, b, 4, 2, 1), b)


def flat(a, b):
    return conv_layer(nn.Conv2d(a, b, 3, 1, 1), b)


def widths(size, width):
    return [width * min(8, 2**k) for k in range({64: 4, 128: 5}[size])]


def code(inputs, size):
    return [nn.Conv2d(inputs, size, 4, 1, 0), nn.BatchNorm2d(size), nn.Tanh()]


class straight_encoder(nn.Module):
    """dcgan: encoder of content or, with `normalize`, of pose."""

    def __init__(self, size, width, channels, out, normalize=None):
        super().__init__()
        w = widths(size, width)
        layers = [down(a, b) for a, b in zip([channels, *w], w, strict=False)]
        self.main = nn.Sequential(*layers, *code(w[-1], out))
        if normalize is not None:
            self.normalize = normalize

    def forward(self, x):
        y = self.main(x)
        return nn.functional.normalize(y, p=2) if getattr(self, "normalize", False) else y


class straight_decoder(nn.Module):
    def __init__(self, size, width, channels, content, pose):
        super().__init__()
        w = widths(size, width)[::-1]
        first = [nn.ConvTranspose2d(content + pose, w[0], 4, 1, 0), nn.BatchNorm2d(w[0])]
        middle = [up(a, b) for a, b in pairwise(w)]
        last = [nn.ConvTranspose2d(w[-1], channels, 4, 2, 1), nn.Sigmoid()]
        self.main = nn.Sequential(*first, nn.LeakyReLU(0.2), *middle, *last)

    def forward(self, given):
        return self.main(torch.cat(given, 1))


class unet_encoder(nn.Module):
    def __init__(self, size, width, channels, out, vgg=False):
        super().__init__()
        self.vgg = vgg
        w = widths(size, width)
        self.count = len(w)
        inputs = channels
        for k, b in enumerate(w):
            if vgg:
                depth = 2 if k < 2 else 3
                block = [flat(inputs, b), *(flat(b, b) for _ in range(depth - 1))]
                setattr(self, f"c{k + 1}", nn.Sequential(*block))
            else:
                setattr(self, f"c{k + 1}", down(inputs, b))
            inputs = b
        setattr(self, f"c{len(w) + 1}", nn.Sequential(*code(w[-1], out)))
        if vgg:
            self.mp = nn.MaxPool2d(2, 2, 0)

    def forward(self, x):
        skips = []
        for k in range(self.count):
            x = getattr(self, f"c{k + 1}")(self.mp(x) if self.vgg and k else x)
            skips.append(x)
        return getattr(self, f"c{self.count + 1}")(self.mp(x) if self.vgg else x), skips


class unet_decoder(nn.Module):
    def __init__(self, size, width, channels, content, pose, vgg=False):
        super().__init__()
        self.vgg = vgg
        w = widths(size, width)
        self.count = len(w)
        top = w[-1]
        self.upc1 = nn.Sequential(
            nn.ConvTranspose2d(content + pose, top, 4, 1, 0), nn.BatchNorm2d(top), nn.LeakyReLU(0.2)
        )
        for k in range(len(w) - 1, 0, -1):
            a, b = w[k], w[k - 1]
            name = f"upc{len(w) - k + 1}"
            if vgg:
                depth = 2 if k < 2 else 3
                block = [flat(2 * a, a), *(flat(a, a) for _ in range(depth - 2)), flat(a, b)]
                setattr(self, name, nn.Sequential(*block))
            else:
                setattr(self, name, up(2 * a, b))
        final = (
            [flat(2 * w[0], w[0]), nn.ConvTranspose2d(w[0], channels, 3, 1, 1)]
            if vgg
            else [nn.ConvTranspose2d(2 * w[0], channels, 4, 2, 1)]
        )
        setattr(self, f"upc{len(w) + 1}", nn.Sequential(*final, nn.Sigmoid()))
        if vgg:
            self.up = nn.UpsamplingNearest2d(scale_factor=2)

    def forward(self, given):
        (content, skips), pose = given
        d = self.upc1(torch.cat([content, pose], 1))
        for k in range(self.count):
            d = torch.cat([self.up(d) if self.vgg else d, skips[-1 - k]], 1)
            d = getattr(self, f"upc{k + 2}")(d)
        return d


class basic(nn.Module):
    def __init__(self, a, b, stride, downsample):
        super().__init__()
        self.conv1 = nn.Conv2d(a, b, 3, stride, 1)
        self.bn1 = nn.BatchNorm2d(b)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(b, b, 3, 1, 1)
        self.bn2 = nn.BatchNorm2d(b)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class resnet18(nn.Module):
    def __init__(self, size, width, channels, pose):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 5, 2, 3)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu, self.tanh = nn.ReLU(), nn.Tanh()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.count = {64: 4, 128: 5}[size]
        a = width
        for k in range(self.count):
            b = width * 2**k
            shrink = None
            if k:
                shrink = nn.Sequential(nn.Conv2d(a, b, 1, 2), nn.BatchNorm2d(b))
            blocks = [basic(a, b, 2 if k else 1, shrink), basic(b, b, 1, None)]
            setattr(self, f"layer{k + 1}", nn.Sequential(*blocks))
            a = b
        self.conv_out = nn.Conv2d(a, pose, 3)
        self.bn_out = nn.BatchNorm2d(pose)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for k in range(self.count):
            x = getattr(self, f"layer{k + 1}")(x)
        return self.tanh(self.bn_out(self.conv_out(x)))


class resnet_encoder(nn.Module):
    def __init__(self, size, width, channels, pose, normalize):
        super().__init__()
        self.main = resnet18(size, width, channels, pose)
        self.normalize = normalize

    def forward(self, x):
        y = self.main(x)
        return nn.functional.normalize(y, p=2) if self.normalize else y


class lstm(nn.Module):
    def __init__(self, inputs, outputs, cells, layers, batch, normalize):
        super().__init__()
        self.input_size, self.output_size, self.hidden_size = inputs, outputs, cells
        self.batch_size, self.n_layers, self.normalize = batch, layers, normalize
        self.embed = nn.Linear(inputs, cells)
        self.lstm = nn.ModuleList([nn.LSTMCell(cells, cells) for _ in range(layers)])
        self.output = nn.Sequential(nn.Linear(cells, outputs), nn.Tanh())
        self.hidden = self.init_hidden()

    def init_hidden(self):
        return [
            tuple(torch.zeros(self.batch_size, self.hidden_size) for _ in range(2))
            for _ in range(self.n_layers)
        ]

    def forward(self, x):
        x = self.embed(x.view(-1, self.input_size))
        for k, cell in enumerate(self.lstm):
            self.hidden[k] = cell(x, self.hidden[k])
            x = self.hidden[k][0]
        y = self.output(x)
        return nn.functional.normalize(y, p=2) if self.normalize else y
