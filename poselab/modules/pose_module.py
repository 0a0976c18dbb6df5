"""The training step, prediction step, flip test and optimiser set-up that all methods share."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

import pytorch_lightning as pl
import torch

from poselab import geometry
from poselab.evaluation.predictions import Predictions
from poselab.models.backbones.renormalise import IMAGENET_MEAN, IMAGENET_STD
from poselab.models.pose_net import TargetGuided
from poselab.modules.postprocess import PostProcess
from poselab.outputs import final, map_tensors

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from poselab.codecs.base import Codec
    from poselab.structures import Frame, Poses, Sample

    Schedule = Callable[[int, int], Callable[[int], float]]
    """(steps per epoch, epochs) → (step → factor of the base learning rate)."""


class PoseModule(pl.LightningModule):
    """A network, the codec of its output, its loss and post-processing as one Lightning module.

    Images are normalised on the device with ImageNet's mean and standard deviation. ``flip_test``
    merges the output with that of the flipped input. Only the last output of a network with stages
    is merged and decoded. ``optimizer`` is called with all parameters and their names, including
    those of the loss (such as a normalising flow). ``schedule`` None keeps the learning rate
    constant.

    A subclass names the codecs that it accepts, whether they decode several people from one input,
    and its default post-processing.

    Raises:
        ValueError: the class does not accept the codec.
    """

    accepts: ClassVar[type] = object
    multi_person: ClassVar[bool] = False
    default_postprocess: ClassVar[PostProcess] = PostProcess(
        score_rule="keypoints", keypoint_threshold=None, nms=None
    )

    def __init__(
        self,
        net: nn.Module,
        codec: Codec[Any, Any],
        loss: nn.Module,
        postprocess: PostProcess | None = None,
        optimizer: Callable[..., Optimizer] = torch.optim.AdamW,
        schedule: Schedule | None = None,
        flip_test: bool = True,
    ) -> None:
        super().__init__()
        self._check_codec(codec)
        self.net, self.codec, self.loss = net, codec, loss
        self.postprocess = postprocess or self.default_postprocess
        self.optimizer, self.schedule, self.flip_test = optimizer, schedule, flip_test
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            buffer = torch.tensor(values).view(3, 1, 1) * 255
            # Constants: not in checkpoints, which then hold weights alone.
            self.register_buffer(name, buffer, persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, image: Tensor) -> Any:
        """Raw float32 output for images (B, 3, H, W) uint8."""
        return map_tensors(torch.Tensor.float, self.net(self._normalised(image)))

    def training_output(self, image: Tensor, target: Any) -> Any:
        """As :meth:`forward`, for a network that may see the target while it learns."""
        if not isinstance(self.net, TargetGuided):
            return self(image)
        output = self.net.guided(self._normalised(image), target, self.current_epoch)
        return map_tensors(torch.Tensor.float, output)

    def target(self, batch: Sample[Tensor]) -> Any:
        """The codec's target for a batch."""
        # bfloat16 has no odd whole numbers above 256: autocast would move keypoints.
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            return self.codec.encode(batch.keypoints, batch.visibility, batch.loss_mask)

    def losses(self, output: Any, target: Any) -> dict[str, Tensor]:
        """The parts of the loss of an output, by name."""
        parts: dict[str, Tensor] = self.loss(output, target)
        return parts

    def flip_tested(self, output: Any, image: Tensor) -> Any:
        """The final output of an image, with ``flip_test`` merged with that of its flipped copy."""
        if not self.flip_test:
            return final(output)
        flipped = final(self(image.flip(-1)))
        return self.codec.merge(final(output), self.codec.unflip(flipped))

    def training_step(self, batch: Sample[Tensor], batch_idx: int) -> Tensor:
        """The loss of a batch.

        Raises:
            FloatingPointError: the loss is not finite; the message names the images.
        """
        target = self.target(batch)
        output = self.training_output(batch.image, target)
        total = self._logged_loss("train", self.losses(output, target), len(batch.image))
        if not torch.isfinite(total):
            raise FloatingPointError(self._not_finite_message(output, batch))
        return total

    def validation_step(  # type: ignore[override]  # Lightning passes any output on to callbacks
        self, batch: Sample[Tensor], batch_idx: int
    ) -> Predictions:
        """Log the loss of a batch, return its predictions."""
        output = self(batch.image)
        self._logged_loss("val", self.losses(output, self.target(batch)), len(batch.image))
        return self.predictions(self.flip_tested(output, batch.image), batch.frame)

    def predict_step(self, batch: Sample[Tensor], batch_idx: int) -> Predictions:
        """The predictions of a batch."""
        output = self.flip_tested(self(batch.image), batch.image)
        return self.predictions(output, batch.frame)

    def predictions(self, output: Any, frame: Frame[Tensor]) -> Predictions:
        """Decoded poses in image pixels, scored, on the CPU."""
        with torch.autocast(self.device.type, enabled=False):
            poses: Poses = self.codec.decode(final(output))
        valid = poses.valid
        keypoints = geometry.apply(frame.to_image[:, None], poses.keypoints)
        return Predictions(
            image_ids=_repeated(frame.image_id, valid),
            annotation_ids=_repeated(frame.annotation_id, valid),
            keypoints=keypoints[valid].double().cpu().numpy(),
            keypoint_scores=poses.scores[valid].double().cpu().numpy(),
            scores=self.postprocess.score(poses, frame)[valid].double().cpu().numpy(),
            boxes=_repeated(frame.box, valid),
        )

    def suppress(self, predictions: Predictions) -> Predictions:
        """The predictions that are left after non-maximum suppression within each image."""
        return self.postprocess.suppress(predictions, self.codec.skeleton.oks_sigmas)

    def comparability(self) -> dict[str, Any]:
        """``flip_test`` for the comparability record."""
        return {"flip_test": bool(self.flip_test)}

    def configure_optimizers(self) -> Any:
        """The optimiser, and a schedule over every step of the run."""
        optimizer = self.optimizer(self.named_parameters())
        if self.schedule is None:
            return optimizer
        epochs = max(self.trainer.max_epochs or 1, 1)  # -1 or None where steps end the run
        steps = max(int(self.trainer.estimated_stepping_batches) // epochs, 1)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule(steps, epochs))
        return {
            "optimizer": optimizer,
            # Every step, because warm-up is shorter than an epoch.
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _check_codec(self, codec: Codec[Any, Any]) -> None:
        if not isinstance(codec, self.accepts) or codec.multi_person != self.multi_person:
            kind = "a codec" if self.accepts is object else f"a {self.accepts.__name__}"
            people = "several people" if self.multi_person else "one person"
            raise ValueError(
                f"expected {kind} for {people} per input in {type(self).__name__}, got "
                f"{type(codec).__name__}"
            )

    def _normalised(self, image: Tensor) -> Tensor:
        return (image.float() - self.mean) / self.std

    def _logged_loss(self, stage: str, parts: dict[str, Tensor], batch_size: int) -> Tensor:
        """The sum of the parts of a loss, logged with them."""
        total = torch.stack(list(parts.values())).sum()
        values = {f"{stage}/loss": total.detach()}
        if len(parts) > 1:
            values |= {f"{stage}/loss_{name}": part.detach() for name, part in parts.items()}
        self.log_dict(
            values,
            on_step=False,
            on_epoch=True,
            prog_bar=False,
            batch_size=batch_size,
            sync_dist=True,
        )
        return total

    def _not_finite_message(self, output: Any, batch: Sample[Tensor]) -> str:
        """The sentence that names the samples whose own loss is not finite."""
        named = []
        for i in range(len(batch.image)):
            # Losses are means over a batch, so each sample's is computed again on its own.
            one_output, one = map_tensors(itemgetter(slice(i, i + 1)), (output, batch))
            parts = self.losses(one_output, self.target(one)).values()
            if not all(torch.isfinite(part) for part in parts):
                frame = batch.frame
                named.append(f"image {int(frame.image_id[i])} ({int(frame.annotation_id[i])})")
        samples = ", ".join(named[:8]) or "the batch as a whole"
        return (
            f"expected a finite loss at epoch {self.current_epoch}, got NaN or infinity for "
            f"{samples} (annotation ids in brackets); lower the learning rate or clip gradients, "
            "and check these samples"
        )


def _repeated(values: Tensor, valid: Tensor) -> Any:
    """Per-input values (B, …), once for every valid pose (B, P) of an input, as an array."""
    return values[valid.nonzero()[:, 0]].cpu().numpy()
