"""Small networks with random weights, and files made of them: for the doors that networks enter by.

They recognise nobody. What is proved with them is that a file gives what the network in memory
gives, pixel for pixel.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
import onnx
import torch
from facenet_pytorch import fixed_image_standardization
from onnx.external_data_helper import convert_model_to_external_data
from torch import nn
from torchvision.transforms import functional

EMBEDDING = 16


class SmallNet(nn.Module):
    """Convolution, normalisation, pooling, a linear layer: 16 numbers a face, any size."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 5, stride=4)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, EMBEDDING)

    def forward(self, pixels):
        """float32 [b, 3, S, S] to [b, 16]."""
        seen = torch.relu(self.norm(self.conv(pixels)))
        return self.head(seen.mean((2, 3)))


def small_net(seed=3):
    """The network with weights and statistics drawn from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = SmallNet().eval()
        net.norm.running_mean.normal_()
        net.norm.running_var.uniform_(0.5, 2)
    return net


def some_faces(count, size, seed=0):
    """uint8 (count, size, size, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def prepared(name, faces):
    """The faces under a convention, by the formula of those who made it, in torch."""
    pixels = torch.from_numpy(faces).permute(0, 3, 1, 2)
    if name == "insightface":
        return (pixels.float() - 127.5) / 127.5
    if name == "adaface":
        return ((pixels.flip(1).float() / 255.0) - 0.5) / 0.5
    if name == "sface":
        return pixels.float()
    if name == "imagenet":
        unit = pixels.float() / 255
        return functional.normalize(unit, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert name == "facenet"
    return fixed_image_standardization(pixels.float())


SIZES = {"insightface": 112, "adaface": 112, "sface": 112, "imagenet": 112, "facenet": 160}


def reference(net, name, faces):
    """What the network in memory gives for the faces under a convention."""
    with torch.no_grad():
        return net(prepared(name, faces)).numpy()


def to_onnx(net, pixels, *, batch=None, **settings):
    """An ONNX model of the network, exported by torch; ``batch`` None: any number of faces."""
    buffer = io.BytesIO()
    axes = {} if batch else {"dynamic_axes": {"data": {0: "n"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch prefers an exporter that needs another package
        torch.onnx.export(
            net,
            (pixels,),
            buffer,
            input_names=["data"],
            dynamo=False,
            opset_version=17,
            **axes,
            **settings,
        )
    return onnx.load_model_from_string(buffer.getvalue())


def saved_beside(model, path):
    """Write the model with all its weights in the file ``weights.bin`` beside it."""
    convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
    onnx.save_model(model, str(path))
    return path
