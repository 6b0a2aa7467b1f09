"""The shelf's networks, tiny: the same architectures and interfaces with made-up weights."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Files = dict[str, bytes]
FOCAL = 0.8  # of the width: the lens that the tiny MoGe's points are seen through
LABELS = {0: "wall", 1: "sky", 2: "sea", 3: "river", 4: "tree"}

# Points of a lens of focal length FOCAL * width, on a surface whose distance follows the red
# channel, shifted by a third as the real one's are; no place where blue is brightest.
_MOGE = """
<ir_version: 8, opset_import: ["" : 17]>
moge (float[1,3,h,w] image, int64 num_tokens)
  => (float[1,h,w,3] points, float[1,h,w,3] normal, float[1,h,w] mask, float[1] metric_scale)
{
  one = Constant<value = float {1.0}>()
  half = Constant<value = float {0.5}>()
  third = Constant<value = float {0.333}>()
  focal = Constant<value = float {%FOCAL%}>()
  sharp = Constant<value = float {40.0}>()
  across = Constant<value = int64 {3}>()
  down = Constant<value = int64 {2}>()
  red, green, blue = Split<axis = 1>(image)
  nothing = Sub(red, red)
  ones = Add(nothing, one)
  columns = CumSum(ones, across)
  rows = CumSum(ones, down)
  width = ReduceMax<keepdims = 1>(columns)
  height = ReduceMax<keepdims = 1>(rows)
  halfwidth = Mul(width, half)
  halfheight = Mul(height, half)
  leftx = Sub(columns, half)
  lefty = Sub(rows, half)
  x = Sub(leftx, halfwidth)
  y = Sub(lefty, halfheight)
  z = Add(red, one)
  px = Mul(width, focal)
  slopex = Div(x, px)
  slopey = Div(y, px)
  pointx = Mul(slopex, z)
  pointy = Mul(slopey, z)
  pointz = Sub(z, third)
  stacked = Concat<axis = 1>(pointx, pointy, pointz)
  points = Transpose<perm = [0, 2, 3, 1]>(stacked)
  normal = Transpose<perm = [0, 2, 3, 1]>(image)
  room = Sub(half, blue)
  steep = Mul(room, sharp)
  sure = Sigmoid(steep)
  channel = Constant<value = int64[1] {1}>()
  mask = Squeeze(sure, channel)
  tokens = Cast<to = 1>(num_tokens)
  none = Sub(tokens, tokens)
  two = Add(none, one)
  shape = Constant<value = int64[1] {1}>()
  metric_scale = Reshape(two, shape)
}
"""
# Of a fixed size; distance grows with red, and blue is sky. It undoes ImageNet's normalisation.
_DA3 = """
<ir_version: 8, opset_import: ["" : 17]>
da3 (float[1,3,42,56] image) => (float[1,42,56] depth, float[1,42,56] sky)
{
  mean = Constant<value = float[1,3,1,1] {0.485, 0.456, 0.406}>()
  deviation = Constant<value = float[1,3,1,1] {0.229, 0.224, 0.225}>()
  one = Constant<value = float {1.0}>()
  channel = Constant<value = int64[1] {1}>()
  scaled = Mul(image, deviation)
  colour = Add(scaled, mean)
  red, green, blue = Split<axis = 1>(colour)
  far = Add(red, one)
  depth = Squeeze(far, channel)
  sky = Squeeze(blue, channel)
}
"""
# What is unknown becomes light red, the rest stays.
_MIGAN = """
<ir_version: 8, opset_import: ["" : 17]>
migan (uint8[1,3,h,w] image, uint8[1,1,h,w] mask) => (uint8[1,3,h,w] result)
{
  invented = Constant<value = float[1,3,1,1] {250.0, 120.0, 100.0}>()
  all = Constant<value = float {255.0}>()
  colour = Cast<to = 1>(image)
  m = Cast<to = 1>(mask)
  known = Div(m, all)
  one = Constant<value = float {1.0}>()
  hole = Sub(one, known)
  kept = Mul(colour, known)
  new = Mul(invented, hole)
  sum = Add(kept, new)
  result = Cast<to = 2>(sum)
}
"""
_LAMA = """
<ir_version: 8, opset_import: ["" : 17]>
lama (float16[1,4,h,w] input) => (float16[1,3,h,w] output)
{
  sizes = Constant<value = int64[2] {3, 1}>()
  colour, mask = Split<axis = 1>(input, sizes)
  wide = Constant<value = float[1,3,1,1] {0.1, 0.9, 0.2}>()
  invented = Cast<to = 10>(wide)
  new = Mul(invented, mask)
  output = Add(colour, new)
}
"""


def program(text: str) -> bytes:
    """A program for onnxruntime from ONNX's own notation."""
    import onnx
    import onnx.parser

    model = onnx.parser.parse_model(text)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def moge() -> Files:
    return {"model.onnx": program(_MOGE.replace("%FOCAL%", str(FOCAL)))}


def da3() -> Files:
    return {"da3mono_l_504x378.onnx": program(_DA3)}


def migan() -> Files:
    return {"migan_pipeline_v2.onnx": program(_MIGAN)}


def lama() -> Files:
    return {"lama_fp16.onnx": program(_LAMA)}


def depth_anything() -> Files:
    import transformers

    backbone = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16,
        image_size=56, patch_size=14, out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False, apply_layernorm=True,
    )  # fmt: skip
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone, patch_size=14, reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, head_hidden_size=8,
    )  # fmt: skip
    files = saved(transformers.DepthAnythingForDepthEstimation, config)
    processing = {"image_processor_type": "DPTImageProcessor", "keep_aspect_ratio": True,
                  "ensure_multiple_of": 14, "size": {"height": 56, "width": 56}}  # fmt: skip
    return files | {"preprocessor_config.json": json.dumps(processing).encode()}


def upernet() -> Files:
    """As on the hub: weights as torch's own archive."""
    import transformers

    backbone = transformers.ConvNextConfig(
        hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], out_features=["stage1", "stage2", "stage3",
        "stage4"],
    )  # fmt: skip
    config = transformers.UperNetConfig(
        backbone_config=backbone, hidden_size=8, auxiliary_channels=8, auxiliary_in_channels=8,
        pool_scales=[1, 2], id2label=LABELS, label2id={v: k for k, v in LABELS.items()},
    )  # fmt: skip
    return saved(transformers.UperNetForSemanticSegmentation, config, archive=True)


def sam2() -> Files:
    """The hub's description is that of the video model, with the photo model's parts in it."""
    import transformers

    hiera = transformers.Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, image_size=[128, 128], blocks_per_stage=[1, 1, 3, 1],
        embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 1, 2, 2],
        window_positional_embedding_background_size=[4, 4], window_size_per_stage=[4, 4, 4, 4],
        global_attention_blocks=[3],
    )  # fmt: skip
    vision = transformers.Sam2VisionConfig(
        backbone_config=hiera, backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]], fpn_hidden_size=32,
    )  # fmt: skip
    config = transformers.Sam2Config(
        vision_config=vision,
        prompt_encoder_config=transformers.Sam2PromptEncoderConfig(
            hidden_size=32, image_size=128, mask_input_channels=4
        ),
        mask_decoder_config=transformers.Sam2MaskDecoderConfig(
            hidden_size=32, mlp_dim=32, num_attention_heads=2, iou_head_hidden_dim=16
        ),
    )
    return saved(transformers.Sam2Model, config)


def saved(model_class: Any, config: Any, *, archive: bool = False) -> Files:
    """A model's files as the hub has them."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        model = model_class(config)
        model.save_pretrained(folder)
        files = {"config.json": Path(folder, "config.json").read_bytes()}
        if archive:
            torch.save(model.state_dict(), Path(folder, "pytorch_model.bin"))
            return files | {"pytorch_model.bin": Path(folder, "pytorch_model.bin").read_bytes()}
        return files | {"model.safetensors": Path(folder, "model.safetensors").read_bytes()}


# name on the shelf -> task, kind, files
TINY: dict[str, tuple[str, str, Callable[[], Files]]] = {
    "depth-anything-v2-small": ("depth", "transformers-depth", depth_anything),
    "moge-2-small": ("depth", "onnx-moge", moge),
    "da3-mono-large": ("depth", "onnx-da3", da3),
    "upernet-convnext-tiny": ("classes", "transformers-ade20k", upernet),
    "sam-2.1-tiny": ("click", "transformers-sam2", sam2),
    "mi-gan": ("fill", "onnx-migan", migan),
    "lama": ("fill", "onnx-lama", lama),
}
