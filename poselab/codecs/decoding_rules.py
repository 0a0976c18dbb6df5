"""How the code of published heatmaps decodes where it differs from ours.

It differs at borders, in the blur and in heatmaps without a value above zero.
Ours keep the flip law; theirs make imported weights give the authors' keypoints to the last digit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from poselab.heatmaps import Blur

if TYPE_CHECKING:
    from poselab.heatmaps.refining import QuarterBorder

Code = Literal["hrnet", "dark", "udp", "mmpose", "vitpose", "transformers"]


class DecodingRules(NamedTuple):
    """quarter_border: cells that the quarter offset does not move. blur: that of "dark" and "udp";
    its size is the codec's. empty_cell: x and y of the position in heatmaps without a value above
    zero, None: that of their highest value. square_cells: cells are scaled about the middle, along
    both axes by the ratio of widths less one."""

    quarter_border: QuarterBorder = "flip"
    blur: Blur = Blur()
    empty_cell: float | None = None
    square_cells: bool = False


OURS = DecodingRules()
RULES: dict[Code, DecodingRules] = {
    # SimpleBaseline; leoxiaobin/deep-high-resolution-net.pytorch, lib/core/inference.py
    "hrnet": DecodingRules("hrnet", empty_cell=0.0),
    # ilovepose/DarkPose, lib/core/inference.py and lib/utils/transforms.py
    "dark": DecodingRules(empty_cell=0.0, square_cells=True),
    # HuangJunJie2017/UDP-Pose, master, lib/core/inference.py, post
    "udp": DecodingRules(blur=Blur(border="reflect", rescale="range"), empty_cell=0.0),
    # mmpose 1.x, codecs/utils/post_processing.py and refinement.py
    "mmpose": DecodingRules("mmpose", empty_cell=-1.0),
    # ViTAE-Transformer/ViTPose, mmpose/core/evaluation/top_down_eval.py
    "vitpose": DecodingRules(blur=Blur(border="reflect", rescale=None), empty_cell=-1.0),
    # huggingface/transformers, VitPoseImageProcessor: a narrow blur in place of the authors'
    "transformers": DecodingRules(
        blur=Blur(border="symmetric", rescale=None, sigma=0.8), empty_cell=-1.0
    ),
}
