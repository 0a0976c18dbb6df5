"""The only training step, prediction step, flip test and optimiser set-up there is."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import pytorch_lightning as pl
import torch

from poselab import geometry
from poselab.evaluation.predictions import Predictions
from poselab.outputs import final, map_tensors
from poselab.training.schedules import constant

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from poselab.codecs.base import Codec
    from poselab.structures import Frame, Poses, Sample
    from poselab.training.schedules import Schedule

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Triple(NamedTuple):
    """What a method is: partials of a neck and a head, of a codec and of a loss."""

    neck: Callable[..., nn.Module]
    head: Callable[..., nn.Module]
    codec: Callable[..., Codec[Any, Any]]
    loss: Callable[[], nn.Module]


class PoseModule(pl.LightningModule):
    """A network, what its output means, and what it is trained to minimise.

    Images are normalised on the device with ImageNet's mean and deviation. ``flip_test`` merges
    the output with that of the flipped input. Of a network with stages the last output alone is
    merged and decoded. ``optimizer`` is called with all parameters and their names, those of the
    loss too (normalising flows live there).
    """

    accepts: ClassVar[tuple[type, ...]] = ()
    instances: ClassVar[str] = "one"

    def __init__(
        self,
        net: nn.Module,
        codec: Codec[Any, Any],
        loss: nn.Module,
        optimizer: Callable[..., Optimizer] = torch.optim.AdamW,
        schedule: Schedule = constant,
        flip_test: bool = True,
    ) -> None:
        super().__init__()
        if self.accepts and not isinstance(codec, self.accepts):
            names = " or ".join(kind.__name__ for kind in self.accepts)
            raise ValueError(
                f"expected {names} for {type(self).__name__}, got {type(codec).__name__}"
            )
        self.net, self.codec, self.loss = net, codec, loss
        self.optimizer, self.schedule, self.flip_test = optimizer, schedule, flip_test
        for name, values in (("mean", _MEAN), ("std", _STD)):
            buffer = torch.tensor(values).view(3, 1, 1) * 255
            self.register_buffer(name, buffer, persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, image: Tensor) -> Any:
        """Raw float32 output for images (B, 3, H, W) uint8."""
        output = self.net((image.float() - self.mean) / self.std)
        return map_tensors(torch.Tensor.float, output)

    def flip_tested(self, output: Any, image: Tensor) -> Any:
        """The final output of an image, merged with that of its horizontal flip if so chosen."""
        if not self.flip_test:
            return final(output)
        flipped = final(self(image.flip(-1)))
        return self.codec.merge(final(output), self.codec.unflip(flipped))

    def losses(self, output: Any, batch: Sample) -> dict[str, Tensor]:
        """The parts of the loss of an output for a labelled batch."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            target = self.codec.encode(batch.keypoints, batch.visibility, batch.loss_mask)
        parts: dict[str, Tensor] = self.loss(output, target)
        return parts

    def training_step(self, batch: Sample, batch_idx: int) -> Tensor:
        """The loss of a batch.

        Raises:
            FloatingPointError: it is not finite; names the images.
        """
        output = self(batch.image)
        parts = self.losses(output, batch)
        total = torch.stack(list(parts.values())).sum()
        if not torch.isfinite(total):
            raise FloatingPointError(self._who_is_not_finite(output, batch))
        self._log_parts("train", parts, total, len(batch.image))
        return total

    def validation_step(  # type: ignore[override]  # Lightning passes it on as it is
        self, batch: Sample, batch_idx: int
    ) -> Predictions:
        """Log the loss of a batch, return what was found in it."""
        output = self(batch.image)
        parts = self.losses(output, batch)
        total = torch.stack(list(parts.values())).sum()
        self._log_parts("val", parts, total, len(batch.image))
        return self.found(self.flip_tested(output, batch.image), batch.frame)

    def predict_step(self, batch: Sample, batch_idx: int) -> Predictions:
        """What was found in a batch."""
        output = self.flip_tested(self(batch.image), batch.image)
        return self.found(output, batch.frame)

    def found(self, output: Any, frame: Frame) -> Predictions:
        """Decoded poses in image pixels, scored, on the CPU."""
        with torch.autocast(self.device.type, enabled=False):
            poses = self.codec.decode(final(output))
        instances = poses.valid
        keypoints = geometry.apply(frame.to_image[:, None], poses.keypoints)
        return Predictions(
            image_ids=_rows(frame.image_id, instances),
            annotation_ids=_rows(frame.annotation_id, instances),
            keypoints=keypoints[instances].double().cpu().numpy(),
            keypoint_scores=poses.scores[instances].double().cpu().numpy(),
            scores=self.score(poses, frame)[instances].double().cpu().numpy(),
            boxes=_rows(frame.box, instances),
        )

    def score(self, poses: Poses, frame: Frame) -> Tensor:
        """Confidence (B, P) of each pose: the mean over its keypoints."""
        scores: Tensor = poses.scores.mean(dim=-1)
        return scores

    def suppress(self, predictions: Predictions) -> Predictions:
        """All predictions of a set of images without those that repeat others: here, all."""
        return predictions

    def configure_optimizers(self) -> Any:
        """The optimiser, and a schedule over every step of the run."""
        optimizer = self.optimizer(self.named_parameters())
        epochs = max(self.trainer.max_epochs or 1, 1)
        steps = max(int(self.trainer.estimated_stepping_batches) // epochs, 1)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule(steps, epochs))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _log_parts(
        self, stage: str, parts: dict[str, Tensor], total: Tensor, batch_size: int
    ) -> None:
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

    def _who_is_not_finite(self, output: Any, batch: Sample) -> str:
        """The sentence that names the samples whose own loss is not finite."""
        guilty = []
        for i in range(len(batch.image)):
            one = map_tensors(itemgetter(slice(i, i + 1)), (output, batch))
            parts = self.losses(*one).values()
            if not all(torch.isfinite(part) for part in parts):
                frame = batch.frame
                guilty.append(f"image {int(frame.image_id[i])} ({int(frame.annotation_id[i])})")
        who = ", ".join(guilty[:8]) or "the batch as a whole"
        return (
            f"expected a finite loss at epoch {self.current_epoch}, got none for {who} "
            "(annotation ids in brackets); lower the learning rate or clip gradients, and look at "
            "these samples"
        )


def _rows(values: Tensor, instances: Tensor) -> Any:
    """Per-input values (B, …) repeated for every person (B, P) that was found."""
    return values[instances.nonzero()[:, 0]].cpu().numpy()
