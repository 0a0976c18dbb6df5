"""The page as a file: complete, self-contained, escaped, and only with what was measured."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from known_errors import COARSE, FINE, UNDETECTED, poses

from poselab.annotations import Annotations
from poselab.evaluation.comparison import Comparison, compare_methods
from poselab.evaluation.metrics.oks import OksEvaluator
from poselab.evaluation.predictions_file import PredictionsFile
from poselab.report.page import json_in_script, learning_section, write_page
from poselab.structures import InputError


class Tags(HTMLParser):
    """Tags with their attributes, and the text of scripts by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str | None, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[self.seen[-1][1].get("id")] = data

    def ids(self) -> list[str | None]:
        return [attributes["id"] for _, attributes in self.seen if "id" in attributes]


def plots(text: str) -> set[str]:
    found = Tags(text).seen
    return {str(a["id"]).removeprefix("plot-") for tag, a in found if tag == "figure"}


@pytest.fixture(scope="module")
def text(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("page") / "deep" / "index.html"
    assert write_page(comparison, out, extra_notes=["A word & more."]) == out
    assert [file.name for file in out.parent.iterdir()] == ["index.html"]
    return out.read_text()


def test_the_page_refers_to_no_other_file(text: str) -> None:
    addresses = re.findall(r"\w+://[^\"' <]*", text)
    assert set(addresses) == {"http://www.w3.org/2000/svg"}  # a namespace, never fetched
    tags = Tags(text)
    sources = [a.get("src") or a.get("href") for _, a in tags.seen if a.get("src") or a.get("href")]
    assert all(source.startswith("#") for source in sources if source)
    assert not any(tag in ("link", "iframe", "img") for tag, _ in tags.seen)


def test_names_are_escaped_everywhere(text: str) -> None:
    tags = Tags(text)
    assert [a.get("id") for tag, a in tags.seen if tag == "script"] == ["data", None]
    data = json.loads(tags.scripts["data"])
    assert [method["name"] for method in data["methods"]] == [FINE, COARSE]
    assert not any(tag == "b" for tag, _ in tags.seen)
    assert "A word &amp; more." in text
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", text)
    assert FINE in map(html.unescape, drawn)  # dollars are no formula


def test_script_text_survives_hostile_strings() -> None:
    hostile = {"a": "</script><script>alert(1)</script><!-- \u2028"}
    assert "<" not in json_in_script(hostile)
    assert json.loads(json_in_script(hostile)) == hostile


def test_every_link_leads_somewhere(text: str) -> None:
    tags = Tags(text)
    ids = tags.ids()
    assert len(ids) == len(set(ids))
    links = [str(a["href"]) for tag, a in tags.seen if tag == "a"]
    assert {link[1:] for link in links if "=" not in link} <= set(ids)
    assert {str(a["href"])[1:] for tag, a in tags.seen if tag == "use"} <= set(ids)
    assert {m[1] for m in re.finditer(r"url\(#([^)]+)\)", text)} <= set(ids)
    assert any("error=inversion" in link and "joint=wrist" in link for link in links)


def test_a_page_of_oks_has_all_its_parts(text: str) -> None:
    wanted = {"primary-metric", "forest", "costs", "similarity", "joint-errors", "breakdowns"}
    assert wanted | {"precision", "calibration"} == plots(text)
    assert "#0000" not in text  # every stand-in became a colour of the page


def test_one_method_by_pckh_shows_what_there_is(by_heads: Comparison, tmp_path: Path) -> None:
    curves = {"train/loss": {0: 2.0, 1: 1.0}, "val/PCKh@0.5": {0: 0.1, 1: 0.2}}
    sections = learning_section(curves, by_heads.primary_metric)
    text = write_page(by_heads, tmp_path / "page.html", sections=sections).read_text()
    wanted = {"primary-metric", "rates", "joint-errors", "similarity", "learning", "calibration"}
    assert plots(text) == wanted
    assert ">pelvis<" not in text[: text.index('id="browser"')]  # PCKh does not count it


def test_a_method_without_predictions_has_a_page_too(
    annotations: Annotations, tmp_path: Path
) -> None:
    nothing = poses(annotations, annotations.keypoints, slice(0))
    named = {"empty": [PredictionsFile(Path("x.json"), nothing, {})]}
    text = write_page(
        compare_methods(named, annotations, OksEvaluator(), 20), tmp_path / "page.html"
    ).read_text()
    assert "calibration" not in plots(text)
    assert ">0.0</a>" in text


def test_of_many_methods_plots_show_the_best_and_tables_all(
    annotations: Annotations, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).normal(size=annotations.keypoints.shape)
    found = {
        f"off by {n:02}": poses(annotations, annotations.keypoints + n * noise) for n in range(10)
    }
    runs = {name: [PredictionsFile(Path("x.json"), one, {})] for name, one in found.items()}
    text = write_page(
        compare_methods(runs, annotations, OksEvaluator(), 20), tmp_path / "page.html"
    ).read_text()
    figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    crowded = [f for f in figures if f.split('"')[1] not in ("plot-primary-metric", "plot-forest")]
    assert len(crowded) == len(figures) - 2 == 6
    assert all("The best 8 of 10" in f or "The first 6 methods" in f for f in crowded)
    assert not any("off by 09" in f for f in crowded)
    costs = text.split("What errors cost as a table")[1].split("</table>")[0]
    assert costs.count("<tr>") == 1 + 10
    assert "All 10 methods: the predictions file does not record its boxes" in text


def test_of_several_seeds_the_page_names_the_one_shown(
    annotations: Annotations, comparison: Comparison, tmp_path: Path
) -> None:
    runs = [run for method in comparison.methods for run in method.runs]
    several = compare_methods({"both": runs}, annotations, OksEvaluator(), 20)
    sentence = "show the first run (seed) of each method"
    assert sentence in write_page(several, tmp_path / "page.html").read_text()
    assert sentence not in write_page(comparison, tmp_path / "page.html").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    for name in (UNDETECTED, 101, 102):
        image = np.full((960, 1280, 3), 90, np.uint8)
        cv2.imwrite(str(images / f"{name}.jpg"), image)
    return images


def test_images_that_differ_most_are_embedded(
    comparison: Comparison, tmp_path: Path, folder: Path
) -> None:
    text = write_page(
        comparison, tmp_path / "page.html", image_folder=folder, max_images=1
    ).read_text()
    assert "The 1 images of the given folder on which methods differ most" in text
    (place, uri), *others = json.loads(Tags(text).scripts["data"])["pixels"].items()
    assert (int(place), others) == (UNDETECTED - 100, [])
    assert uri.startswith("data:image/jpeg;base64,")
    assert len(uri) < 20_000  # half as wide and high as the file


def test_missing_sizes_are_read_from_the_images(
    annotations: Annotations, tmp_path: Path, folder: Path
) -> None:
    """MPII has no image sizes: a pose far from all annotations is drawn inside its image."""
    sizes = np.array(annotations.sizes)
    sizes[:] = 0
    unsized = dataclasses.replace(annotations, sizes=sizes)
    far = poses(annotations, annotations.keypoints + np.array([600.0, 400.0]))
    found = compare_methods(
        {"far": [PredictionsFile(Path("x.json"), far, {})]}, unsized, OksEvaluator(), 20
    )
    text = write_page(found, tmp_path / "page.html", image_folder=folder).read_text()
    images = json.loads(Tags(text).scripts["data"])["images"]
    there = [images["id"].index(name) for name in (UNDETECTED, 101, 102)]
    assert [(images["width"][n], images["height"][n]) for n in there] == [(1280, 960)] * 3
    assert (images["width"][0], images["height"][0]) != (1280, 960)  # its file is missing
    assert not unsized.sizes.any()


def test_a_folder_without_these_images_raises(comparison: Comparison, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected images such as '100\.jpg'"):
        write_page(comparison, tmp_path / "page.html", image_folder=tmp_path)
    assert not (tmp_path / "page.html").exists()


def test_incomparable_rows_are_marked(comparison: Comparison, tmp_path: Path) -> None:
    best, other = comparison.methods
    record = {**other.comparability, "fingerprint": "1"}
    changed = dataclasses.replace(
        other, first_run=dataclasses.replace(other.first_run, comparability=record)
    )
    marked = dataclasses.replace(comparison, methods=(best, changed))
    text = write_page(marked, tmp_path / "page.html").read_text()
    assert 'class="differs"' in text
    assert "‡" in text
