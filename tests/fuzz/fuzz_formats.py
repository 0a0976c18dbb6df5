"""Every format that PoseLab reads: small valid files, how they are changed, who reads them."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import mutate_arrays as arrays
import mutate_bytes as texts
import numpy as np
from mutate_values import mutated_tree
from PIL import Image

Write = Callable[[Path], None]

COCO = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)
PARTS = {
    "keypoints": 17,
    "foot_kpts": 6,
    "face_kpts": 68,
    "lefthand_kpts": 21,
    "righthand_kpts": 21,
}


class Format(NamedTuple):
    """``write`` makes the valid files of a folder; one of ``targets`` (glob patterns) is changed by
    ``mutate``; ``commands`` read them, where ODD stands for an odd word. ``heavy`` needs torch."""

    name: str
    write: Write
    targets: tuple[str, ...]
    mutate: Callable[[bytes, Random], bytes]
    commands: tuple[str, ...]
    heavy: bool = False


def draw_keypoints(number: int, count: int) -> Any:
    """Keypoints (count, 3) of x, y, visibility; the same for the same number."""
    draw = np.random.default_rng(number)
    keypoints = draw.uniform(5, 55, (count, 3)).round(1)
    keypoints[:, 2] = 2
    return keypoints


def coco_labels(whole_body: bool = False) -> dict[str, Any]:
    """Three images of 60 x 60 pixels and four people, one of them a crowd."""
    people = []
    for number, image in ((1, 1), (2, 1), (3, 2), (4, 3)):
        points = draw_keypoints(number, 17)
        x, y = points[:, :2].min(axis=0).tolist()
        w, h = (points[:, :2].max(axis=0) - [x, y]).round(1).tolist()
        person = {"id": number, "image_id": image, "category_id": 1, "iscrowd": int(number == 4)}
        person |= {"keypoints": points.ravel().tolist(), "num_keypoints": 17, "area": w * h / 2}
        person |= {"bbox": [x, y, w, h], "segmentation": [[x, y, x + w, y, x, y + h]]}
        if number == 4:
            person["segmentation"] = {"counts": [1000, 600, 2000], "size": [60, 60]}
        if whole_body:
            parts = list(PARTS.items())[1:]
            person |= {part: draw_keypoints(number, n).ravel().tolist() for part, n in parts}
        people.append(person)
    images = [{"id": n, "file_name": f"{n}.png", "height": 60, "width": 60} for n in (1, 2, 3)]
    category = {"id": 1, "name": "person", "keypoints": list(COCO), "skeleton": [[1, 2], [2, 4]]}
    return {"images": images, "annotations": people, "categories": [category]}


def coco_results(whole_body: bool = False) -> list[dict[str, Any]]:
    """A pose near every person of these labels."""
    results = []
    for person in coco_labels(whole_body)["annotations"][:3]:
        keys = ("image_id", "category_id", "bbox", *(PARTS if whole_body else ["keypoints"]))
        record = {key: person[key] for key in keys}
        record["keypoints"] = [value + 0.5 for value in record["keypoints"]]
        results.append(record | {"score": 0.9, "annotation_id": person["id"]})
    return results


def write_json(path: Path, tree: Any) -> None:
    path.write_text(json.dumps(tree))


def write_image(path: Path, number: int) -> None:
    pixels = np.random.default_rng(number).integers(0, 255, (60, 60, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def coco_files(folder: Path) -> None:
    """Labels, results, boxes, and images as PNG."""
    write_json(folder / "labels.json", coco_labels())
    write_json(folder / "results.json", coco_results())
    boxes = [
        {key: r[key] for key in ("image_id", "category_id", "bbox", "score")}
        for r in coco_results()
    ]
    write_json(folder / "boxes.json", boxes)
    (folder / "images").mkdir()
    for number in (1, 2, 3):
        write_image(folder / "images" / f"{number}.png", number)


def whole_body_files(folder: Path) -> None:
    write_json(folder / "labels.json", coco_labels(whole_body=True))
    write_json(folder / "results.json", coco_results(whole_body=True))


def jpeg_files(folder: Path) -> None:
    """COCO's layout, with images as JPEG."""
    for split in ("train2017", "val2017"):
        (folder / "coco" / split).mkdir(parents=True)
        labels = coco_labels()
        for image in labels["images"]:
            image["file_name"] = f"{image['id']}.jpg"
            write_image(folder / "coco" / split / image["file_name"], image["id"] + len(split))
        (folder / "coco" / "annotations").mkdir(exist_ok=True)
        write_json(folder / "coco" / "annotations" / f"person_keypoints_{split}.json", labels)


def people(joints: int, count: int = 4) -> Any:
    """Joints (count, joints, 2), 1-based."""
    return np.stack([draw_keypoints(n, joints)[:, :2] for n in range(count)]) + 1


def results_by_person(
    folder: Path, joints: int, count: int = 4, name: str = "results.json"
) -> None:
    """A pose for every person by annotation id, each in an image of its own."""
    records = [
        {"image_id": n + 1, "category_id": 1, "score": 0.5, "annotation_id": n + 1}
        | {"keypoints": np.c_[pose - 0.5, np.ones(joints)].ravel().tolist()}
        for n, pose in enumerate(people(joints, count))
    ]
    write_json(folder / name, records)


def mpii_json_files(folder: Path) -> None:
    entries = [
        {"image": f"{n + 1}.jpg", "joints": pose.tolist(), "joints_vis": [1] * 16}
        | {"center": [30.0, 30.0], "scale": 0.3}
        for n, pose in enumerate(people(16))
    ]
    write_json(folder / "valid.json", entries)
    heads = np.tile(np.array([[1.0, 2.0], [21.0, 22.0]])[..., None], (1, 1, 4))
    arrays.write_mat(folder / "gt_valid.mat", {"headboxes_src": heads})
    results_by_person(folder, 16)


def tompson_files(folder: Path) -> None:
    heads = np.tile(np.array([[1.0, 2.0], [21.0, 22.0]])[..., None], (1, 1, 4))
    variables = {"pos_gt_src": people(16).transpose(1, 2, 0), "headboxes_src": heads}
    variables |= {
        "jnt_missing": np.zeros((16, 4)),
        "pos_pred_src": people(16).transpose(1, 2, 0) + 1,
    }
    arrays.write_mat(folder / "labels.mat", variables)
    arrays.write_mat(folder / "preds.mat", {"preds": people(16) + 1})
    arrays.write_hdf5(folder / "preds.h5", {"preds": people(16) + 1})
    names = ["rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor", "neck", "head"]
    cells, joints = np.empty((1, 4), object), np.empty((1, len(names)), object)
    cells[0, :] = list(people(len(names)))
    joints[0, :] = names
    arrays.write_mat(folder / "all.mat", {"keypointsAll": cells, "output_joints": joints})
    np.save(folder / "preds.npy", people(16) + 1)
    np.savez(folder / "preds.npz", predictions=people(16) + 1, scores=np.ones((4, 16)))
    rows = (people(16) + 1).reshape(4, -1)
    np.savetxt(folder / "preds.csv", rows, "%.1f", ",")
    write_json(folder / "preds.json", {"poses": (people(16) + 1).tolist(), "scores": [0.5] * 4})
    found = [
        {
            "keypoints": pose[None] - 1,
            "keypoint_scores": np.ones((1, 16)),
            "bbox_scores": np.ones(1),
        }
        for pose in people(16)
    ]
    samples = [{"id": n, "img_id": n + 1, "pred_instances": f} for n, f in enumerate(found)]
    (folder / "dump.pkl").write_bytes(pickle.dumps(samples))
    results_by_person(folder, 16)


def structs(names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Any:
    """A MATLAB struct array (1, rows)."""
    array = np.empty((1, len(rows)), [(name, object) for name in names])
    for n, row in enumerate(rows):
        array[0, n] = row
    return array


def mpii_release_files(folder: Path) -> None:
    images = []
    for n, pose in enumerate(people(16)):
        points = structs(
            ("x", "y", "id", "is_visible"), [(x, y, k, 1) for k, (x, y) in enumerate(pose)]
        )
        keys = ("x1", "y1", "x2", "y2", "annopoints", "scale", "objpos")
        annopoints, place = structs(("point",), [(points,)]), structs(("x", "y"), [(30.0, 30.0)])
        person = structs(keys, [(1.0, 2.0, 21.0, 22.0, annopoints, 0.3, place)])
        images.append((structs(("name",), [(f"{n + 1}.jpg",)]), person))
    annolist = structs(("image", "annorect"), images)
    release = structs(("annolist", "img_train"), [(annolist, np.ones((1, 4)))])
    arrays.write_mat(folder / "mpii.mat", {"RELEASE": release})
    results_by_person(folder, 16)


def hourglass_files(folder: Path) -> None:
    columns = {"part": people(16), "visible": np.ones((4, 16)), "center": np.full((4, 2), 30.0)}
    columns |= {"scale": np.full(4, 0.3), "normalize": np.full(4, 12.0)}
    columns |= {"imgname": np.array([f"{n}.jpg" for n in range(1, 5)], "S")}
    arrays.write_hdf5(folder / "valid.h5", columns)
    arrays.write_hdf5(folder / "preds.h5", {"preds": people(16) + 1})
    results_by_person(folder, 16)


def one_person_files(folder: Path) -> None:
    """LSP, PARSE and FLIC: ground truth and results of the toolkit for them."""
    flags = np.ones((4, 14, 1))
    arrays.write_mat(
        folder / "lsp.mat", {"joints": np.concatenate([people(14), flags], 2).transpose(1, 2, 0)}
    )
    arrays.write_mat(folder / "parse.mat", {"ptsAll": people(14).transpose(1, 2, 0)})
    arrays.write_mat(folder / "flic.mat", {"joints": people(10).transpose(2, 1, 0)})
    arrays.write_mat(folder / "pred.mat", {"pred": people(14).transpose(2, 1, 0) + 1})
    coords = [(people(29, 1)[0].T, f"{n}.jpg", 1) for n in range(1, 5)]
    arrays.write_mat(
        folder / "examples.mat", {"examples": structs(("coords", "filepath", "istest"), coords)}
    )
    for joints, name in ((14, "results.json"), (10, "ten.json"), (11, "eleven.json")):
        results_by_person(folder, joints, name=name)


def cache_files(folder: Path) -> None:
    """A cache that a first evaluation fills, and the values that it writes."""
    from poselab import cli

    coco_files(folder)
    for name in ("labels.json", "results.json"):  # a file's fingerprint is kept once it is old
        os.utime(folder / name, (1, 1))
    before, os.environ["POSELAB_CACHE"] = os.environ.get("POSELAB_CACHE"), str(folder / "cache")
    words = ["evaluate", str(folder / "results.json"), "--annotations", str(folder / "labels.json")]
    status = cli.main([*words, "--json", str(folder / "expected.json")])
    os.environ.pop("POSELAB_CACHE")
    if before:
        os.environ["POSELAB_CACHE"] = before
    if status:
        raise RuntimeError(f"the valid files end with status {status}")


TINY_RUN = (
    *("experiment=quickstart/heatmap", "backbone=tiny", "++backbone.widths=[8,16,16,16]"),
    *("method.neck.channels=16", "framing.size=[64,64]", "trainer.max_epochs=1", "data.workers=0"),
    *("trainer.num_sanity_val_steps=0", "trainer.check_val_every_n_epoch=1", "data=coco"),
    *("data.batch_size=4", "report=null", "logger=none", "evaluator=oks"),
)


def run_files(folder: Path) -> None:
    """A run that trained for one epoch on four images."""
    from poselab import cli
    from poselab.synthetic import Settings, generate

    generate(folder / "people", Settings(4, val=2, seed=4, size=(64, 64)), workers=1)
    before = Path.cwd()
    os.chdir(folder)
    try:
        status = cli.main(["train", *TINY_RUN, "data.sources.root=people", "folder=run"])
    finally:
        os.chdir(before)
    if status:
        raise RuntimeError(f"the valid run ends with status {status}")
    write_json(folder / "results.json", coco_results())
    write_image(folder / "photo.png", 1)


def mutated_checkpoint(content: bytes, random: Random) -> bytes:
    """A checkpoint with odd values and tensors, or damaged."""
    import torch

    if random.randrange(4) == 0:
        return texts.damaged(content, random)
    tree = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    if random.randrange(3) == 0:
        weights = tree["state_dict"]
        name = random.choice(sorted(weights))
        weights[name] = _odd_tensor(weights[name], random)
    else:
        tree = mutated_tree(_plain(tree), random, any_keys=True)
        if isinstance(tree, dict) and random.randrange(8) == 0:
            tree["config"] = tree
    file = io.BytesIO()
    torch.save(tree, file)
    return file.getvalue()


def _plain(tree: Any) -> Any:
    """Dicts and lists of Python's own, so that they can be changed."""
    if isinstance(tree, dict):
        return {key: _plain(value) for key, value in tree.items()}
    return [_plain(value) for value in tree] if isinstance(tree, list) else tree


def _odd_tensor(tensor: Any, random: Random) -> Any:
    import torch

    odd: list[Any] = [
        tensor[None],
        tensor.double() * float("nan"),
        tensor.to(torch.complex64),
        None,
    ]
    odd += [tensor.to(torch.int64), torch.empty(0), tensor.to_sparse(), tensor.tolist(), "x", 1.0]
    odd += [tensor.to("meta"), tensor.flatten()[:1], torch.empty(1).expand(10**9), tensor.half()]
    return random.choice(odd)


def own_config_files(folder: Path) -> None:
    """A suite and an ablation of the user's own."""
    from textwrap import dedent

    for group in ("suite", "ablation"):
        (folder / "own" / group).mkdir(parents=True)
    (folder / "own" / "suite" / "mine.yaml").write_text(
        dedent("""\
        every:
          trainer: quickstart
          evaluator: oks
          augment: flip_only
        rows:
          first:
            method: direct_laplace
            framing.size: [64, 64]
        groups:
          - every: {optimizer.lr: 0.1}
            rows:
              second: {method: integral}
        """)
    )
    (folder / "own" / "ablation" / "mine.yaml").write_text(
        dedent("""\
        question: How wide?
        paper: none
        comparable: to nothing
        experiment: quickstart/heatmap
        overrides: [trainer.max_epochs=1]
        metrics: [AP]
        seeds: [0]
        rows:
          - {label: narrow, overrides: [method.codec.sigma=0.7]}
          - {label: wide, overrides: [method.codec.sigma=2.0], published: {AP: 50.0}}
        """)
    )


_BY_OKS = (
    "evaluate results.json --annotations labels.json",
    "evaluate results.json --annotations labels.json --replicates 3",
    "evaluate results.json --annotations labels.json --engine pycocotools",
    "evaluate results.json --annotations labels.json --metric pck --match best_oks",
    "evaluate joints results.json --annotations labels.json",
    "compare a=results.json b=results.json --annotations labels.json --out out --replicates 3",
    "data sigmas labels.json --residuals results.json",
)
_LABELS = (
    "data check labels.json --quick",
    "data check labels.json --images images",
    "data leaks labels.json labels.json --images images",
    "detect images --detector boxes.json --annotations labels.json --out out.json",
)


def _by_person(labels: str, metric: str, *others: str) -> tuple[str, ...]:
    """Commands on labels of one person after the other."""
    scored = [
        f"evaluate {r} --annotations {labels} --metric {metric}" for r in ("results.json", *others)
    ]
    return (*scored, f"data check {labels} --quick")


_TOMPSON = "--annotations labels.mat --metric pckh"
_GT = "people/annotations/person_keypoints_val2017.json"
_RUN = (
    "predict run photo.png --out out",
    f"evaluate run --annotations {_GT}",
    f"compare a=run b=run --annotations {_GT} --out out --replicates 3",
    "train resume=run trainer.max_epochs=2",
    "decode run argmax quarter --replicates 3",
    "detect costs run --replicates 3 --out out",
)
_CHECKPOINT = (
    "predict run photo.png --out out",
    "predict run/checkpoints/best.ckpt photo.png --out out",
    "train resume=run trainer.max_epochs=2",
    "import-weights run/checkpoints/best.ckpt --model hrnet_w32 --out imported",
    "train " + " ".join(TINY_RUN) + " data.sources.root=people folder=new weights=run",
)
_TRAIN = "train " + " ".join(TINY_RUN) + " data.sources.root=coco folder=new"
_MINE = ("list experiments --config-dir own", "list suites --config-dir own")

FORMATS = {
    form.name: form
    for form in (
        Format(
            "COCO annotations", coco_files, ("labels.json",), texts.mutated_json, _BY_OKS + _LABELS
        ),
        Format("COCO results", coco_files, ("results.json",), texts.mutated_json, _BY_OKS),
        Format(
            "detections",
            coco_files,
            ("boxes.json",),
            texts.mutated_json,
            ("detect images --detector boxes.json --annotations labels.json --out out.json",),
        ),
        Format(
            "whole body",
            whole_body_files,
            ("labels.json", "results.json"),
            texts.mutated_json,
            (
                "evaluate results.json --annotations labels.json",
                "evaluate results.json --annotations labels.json --metric wholebody",
            ),
        ),
        Format(
            "MPII json",
            mpii_json_files,
            ("valid.json",),
            texts.mutated_json,
            _by_person("valid.json", "pckh"),
        ),
        Format(
            "MPII head boxes",
            mpii_json_files,
            ("gt_valid.mat",),
            arrays.mutated_mat,
            _by_person("valid.json", "pckh"),
        ),
        Format(
            "MPII release",
            mpii_release_files,
            ("mpii.mat",),
            arrays.mutated_mat,
            _by_person("mpii.mat", "pckh"),
        ),
        Format(
            "MPII of Tompson",
            tompson_files,
            ("labels.mat",),
            arrays.mutated_mat,
            _by_person("labels.mat", "pckh", "labels.mat", "preds.mat"),
        ),
        Format(
            "hourglass annotations",
            hourglass_files,
            ("valid.h5",),
            arrays.mutated_hdf5,
            _by_person("valid.h5", "pckh", "preds.h5"),
        ),
        Format(
            "LSP",
            one_person_files,
            ("lsp.mat",),
            arrays.mutated_mat,
            _by_person("lsp.mat", "pck", "pred.mat"),
        ),
        Format(
            "PARSE",
            one_person_files,
            ("parse.mat",),
            arrays.mutated_mat,
            _by_person("parse.mat", "pck", "pred.mat"),
        ),
        Format(
            "FLIC",
            one_person_files,
            ("flic.mat",),
            arrays.mutated_mat,
            ("evaluate ten.json --annotations flic.mat --metric pck",),
        ),
        Format(
            "FLIC examples",
            one_person_files,
            ("examples.mat",),
            arrays.mutated_mat,
            ("evaluate eleven.json --annotations examples.mat --metric pck",),
        ),
        Format(
            "results .mat",
            tompson_files,
            ("preds.mat", "all.mat"),
            arrays.mutated_mat,
            tuple(f"evaluate {name}.mat {_TOMPSON}" for name in ("preds", "all")),
        ),
        Format(
            "results of segments",
            one_person_files,
            ("pred.mat",),
            arrays.mutated_mat,
            ("evaluate pred.mat --annotations lsp.mat --metric pck",),
        ),
        Format(
            "results .h5",
            tompson_files,
            ("preds.h5",),
            arrays.mutated_hdf5,
            (f"evaluate preds.h5 {_TOMPSON}",),
        ),
        Format(
            "arrays .npy",
            tompson_files,
            ("preds.npy",),
            arrays.mutated_npy,
            (f"evaluate preds.npy {_TOMPSON}",),
        ),
        Format(
            "arrays .npz",
            tompson_files,
            ("preds.npz",),
            arrays.mutated_npz,
            (f"evaluate preds.npz {_TOMPSON}",),
        ),
        Format(
            "arrays .csv",
            tompson_files,
            ("preds.csv",),
            texts.mutated_text,
            (f"evaluate preds.csv {_TOMPSON}",),
        ),
        Format(
            "arrays .json",
            tompson_files,
            ("preds.json",),
            texts.mutated_json,
            (f"evaluate preds.json {_TOMPSON}",),
        ),
        Format(
            "dump of mmpose",
            tompson_files,
            ("dump.pkl",),
            arrays.mutated_pickle,
            (f"evaluate dump.pkl {_TOMPSON}",),
        ),
        Format(
            "cache",
            cache_files,
            ("cache/annotations/*",),
            texts.damaged,
            ("evaluate results.json --annotations labels.json --json metrics.json",),
        ),
        Format(
            "PNG",
            coco_files,
            ("images/1.png",),
            texts.mutated_png,
            _LABELS[1:],
        ),
        Format(
            "JPEG",
            jpeg_files,
            ("coco/train2017/1.jpg", "coco/val2017/1.jpg"),
            texts.mutated_jpeg,
            ("data check coco", "data leaks coco", _TRAIN),
            heavy=True,
        ),
        Format(
            "training annotations",
            jpeg_files,
            tuple(f"coco/annotations/person_keypoints_{s}2017.json" for s in ("train", "val")),
            texts.mutated_json,
            (_TRAIN,),
            heavy=True,
        ),
        Format(
            "predicted image", run_files, ("photo.png",), texts.mutated_png, _RUN[:1], heavy=True
        ),
        Format(
            "checkpoint",
            run_files,
            ("run/checkpoints/best.ckpt", "run/checkpoints/last.ckpt"),
            mutated_checkpoint,
            _CHECKPOINT,
            heavy=True,
        ),
        Format(
            "config.yaml", run_files, ("run/config.yaml",), texts.mutated_yaml, _RUN, heavy=True
        ),
        Format("run.json", run_files, ("run/run.json",), texts.mutated_json, _RUN, heavy=True),
        Format(
            "metrics.json",
            run_files,
            ("run/metrics.json", "run/predictions/val.json"),
            texts.mutated_json,
            (_RUN[1], _RUN[2], f"evaluate joints run --annotations {_GT}"),
            heavy=True,
        ),
        Format(
            "suite",
            own_config_files,
            ("own/suite/mine.yaml",),
            texts.mutated_yaml,
            (
                *_MINE,
                "train experiment=mine/first --config-dir own --cfg job",
                "train experiment=mine/second folder=new data=coco data.sources.root=nowhere "
                "--config-dir own",
            ),
            heavy=True,
        ),
        Format(
            "ablation",
            own_config_files,
            ("own/ablation/mine.yaml",),
            texts.mutated_yaml,
            (
                "list ablations --config-dir own",
                'ablate ablation=mine overrides=["data=coco","data.sources.root=nowhere"] '
                "--config-dir own",
            ),
            heavy=True,
        ),
        Format(
            "options",
            coco_files,
            (),
            texts.damaged,
            (
                "evaluate ODD --annotations labels.json",
                "evaluate results.json --annotations ODD",
                "evaluate results.json --annotations labels.json --replicates ODD",
                "evaluate results.json --annotations labels.json --metric ODD",
                "evaluate results.json --annotations labels.json --layout ODD",
                "evaluate results.json --annotations labels.json --json ODD",
                "compare results.json --annotations labels.json --out out --replicates ODD",
                "compare results.json --annotations labels.json --out o --replicates 2 --seed ODD",
                "compare ODD=results.json --annotations labels.json --out out --replicates 2",
                "compare results.json --annotations labels.json --out ODD --replicates 2",
                "data check ODD",
                "data check labels.json --images ODD",
                "data check labels.json --layout ODD",
                "data leaks labels.json labels.json --images images --distance ODD",
                "data leaks labels.json labels.json --images ODD",
                "data synth --out new --images 1 --seed ODD",
                "data synth --out new --images ODD",
                "data synth --out new --images 1 --size ODD ODD",
                "data sigmas labels.json --residuals ODD",
                "detect images --detector ODD --out out.json",
                "detect ODD --detector boxes.json --out o.json",
                "predict ODD images --out out",
                "train experiment=ODD",
                "train seed=ODD --cfg job",
                "ODD",
                "list ODD",
                "train resume=ODD",
                "data browse --count ODD",
            ),
            heavy=True,
        ),
    )
}
