"""The page in headless Chromium: what a reader clicks and types, and what the page then shows.

A script inserted into a copy of the page acts as the reader, and its observations become the page's
text.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from known_errors import BACKGROUND, COARSE, FINE, IMAGES, INVERTED, MISSED, POOR, UNDETECTED

from poselab.evaluation.comparison import Comparison
from poselab.report.page import write_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt install chromium)")

READER = """
const saw = {}, wait = (time = 60) => new Promise((done) => setTimeout(done, time));
const all = (query) => [...document.querySelectorAll(query)];
const one = (query) => document.querySelector(query);
const press = async (key, on = document.body) => {
  on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  await wait();
};
const choose = async (name, value) => {
  one("#f-" + name).value = value;
  one("#f-" + name).dispatchEvent(new Event("change", { bubbles: true }));
  await wait();
};
const go = async (hash) => { location.hash = hash; await wait(); };
const ids = () => all("#list a").map((link) => Number(/image=(\\d+)/.exec(link.hash)[1]));
const now = () => Number(/id (\\d+)/.exec(one("#which").textContent)[1]);
const poses = () => all("#canvas .pose").length;
const pressed = () => all("button[id^=m-]").map((b) => b.getAttribute("aria-pressed") === "true");
const click = async (link) => {
  link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, view: window }));
  await wait();
};
const leading = (where, ...parts) => all(where + " a").find(
  (link) => parts.every((part) => link.getAttribute("href").includes(part)));
addEventListener("load", async () => {
  try { await visit(); } catch (error) { saw.error = String(error); }
  document.documentElement.textContent = "SAW" + JSON.stringify(saw) + "WAS";
});
"""

Visit = Callable[..., tuple[dict[str, Any], str]]


@pytest.fixture(scope="module")
def page(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(comparison, tmp_path_factory.mktemp("page") / "index.html")


@pytest.fixture
def visit(page: Path, tmp_path: Path) -> Visit:
    """Act as a reader on the page; returns observations and Chromium's console messages."""

    def play(script: str, address: str = "", more: str = "") -> tuple[dict[str, Any], str]:
        copy = tmp_path / "copy.html"
        acts = f"<script>{READER} async function visit() {{ {script} }}</script>{more}</body>"
        copy.write_text(page.read_text().replace("</body>", acts))
        words = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
        words += ["--virtual-time-budget=20000", "--enable-logging=stderr"]
        words += [
            f"--user-data-dir={tmp_path / 'profile'}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ]
        done = subprocess.run(
            [*words, copy.as_uri() + address], capture_output=True, text=True, timeout=100
        )
        console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
        text = done.stdout.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        return json.loads(text[text.index("SAW") + 3 : text.rindex("WAS")]), console

    return play


def test_opens_at_the_largest_disagreement_without_messages(visit: Visit) -> None:
    saw, console = visit("saw.ids = ids(); saw.now = now(); saw.poses = poses();")
    assert saw["now"] == UNDETECTED
    assert len(saw["ids"]) == 24
    assert set(saw["ids"][:4]) == {UNDETECTED, POOR, MISSED, INVERTED}
    assert saw["poses"] == 2
    assert console == ""


def test_a_load_from_the_network_would_be_reported(visit: Visit) -> None:
    _, console = visit("", more='<img src="http://example.org/a.png">')
    assert "example.org" in console


def test_filters_find_the_images_with_the_error(visit: Visit) -> None:
    saw, console = visit(
        """
        for (const error of ["inversion", "miss", "false negative", "background false positive"]) {
          await choose("error", error);
          saw[error] = ids();
        }
        await choose("error", "");
        await choose("joint", "left_wrist");
        saw.wrist = ids();
        await choose("joint", "knee");
        saw.knee = ids();
        await choose("size", "large");
        saw.large = ids();
        await press("c");
        await choose("size", "large");
        saw.instances = one("#count").textContent;
        await choose("crowding", "0.5 and more");
        saw.crowded = [ids(), one("#which").textContent];
        """
    )
    assert saw["inversion"] == [POOR, INVERTED]
    assert saw["miss"] == [POOR, MISSED]
    assert saw["false negative"] == [UNDETECTED]
    assert saw["background false positive"] == [BACKGROUND]
    assert saw["wrist"] == [POOR, INVERTED, MISSED]  # two wrong joints are worse than one
    assert saw["knee"] == [POOR]
    assert saw["large"] == []  # the coarse method has errors on medium people only
    assert saw["instances"] == f"{IMAGES} of {IMAGES} images, {IMAGES} instances"
    assert saw["crowded"] == [[], "No image passes these filters."]
    assert console == ""


def test_an_error_of_another_method_does_not_pass(visit: Visit) -> None:
    words = f'await choose("method", {json.dumps(FINE)}); await choose("error", "inversion");'
    saw, _ = visit(words + "saw.ids = ids(); await press('c'); saw.cleared = ids().length;")
    assert saw == {"ids": [], "cleared": 24}


def test_keys_move_and_toggle(visit: Visit) -> None:
    saw, console = visit(
        """
        const first = ids();
        await press("j");
        saw.second = now() === first[1];
        await press("ArrowRight");
        saw.third = now() === first[2];
        await press("k");
        saw.again = now() === first[1];
        await press("J");
        saw.page = ids().length;
        await press("K");
        await press("2");
        saw.pressed = pressed();
        saw.poses = poses();
        saw.apart = one("#list span").textContent;
        await press("1");
        saw.none = [pressed(), poses()];
        await press("1");
        await press("2");
        await press("g");
        saw.ground_truth = all("#canvas .ground-truth").length;
        await press("j", one("#f-sort"));
        saw.typed = now() === first[1];
        await press("?");
        saw.help = one("#keys").open;
        """
    )
    assert saw.pop("pressed") == [True, False]
    assert saw.pop("apart") == "OKS differs by 0.00"
    assert saw.pop("none") == [[False, False], 0]
    assert saw.pop("page") == IMAGES - 24
    assert (saw.pop("poses"), saw.pop("ground_truth")) == (1, 0)
    assert saw == dict.fromkeys(("second", "third", "again", "typed", "help"), True)
    assert console == ""


def test_plots_and_cells_lead_to_their_images_and_back_again(visit: Visit) -> None:
    saw, console = visit(
        """
        const bar = leading("#plot-joint-errors", "error=inversion", "joint=wrist", "=coarse");
        saw.words = bar.getAttribute("aria-label");
        await click(bar);
        saw.ids = ids();
        saw.sort = one("#f-sort").value;
        saw.top = Math.abs(one("#browser").getBoundingClientRect().top) < 100;
        await click(one("#plot-forest a"));
        saw.forest = [ids().length, one("#f-error").value, one("#f-sort").value];
        history.back();
        await wait(300);
        saw.back = ids();
        await click(leading("#summary td", "size=medium", "=coarse"));
        saw.cell = [one("#f-size").value, one("#f-method").value, now()];
        await click(one("nav a"));
        saw.nav = one("#f-size").value;
        """
    )
    assert saw["words"].startswith(COARSE[:10])
    assert saw["words"].endswith("% inversion")
    assert saw["ids"] == [INVERTED]  # the poor pose inverts other joints
    assert saw["sort"] == "worst"
    assert saw["top"]
    assert saw["forest"] == [24, "", "disagreement"]
    assert saw["back"] == [INVERTED]
    assert saw["cell"] == ["medium", COARSE, UNDETECTED]
    assert saw["nav"] == "medium"  # a link to a section leaves the view alone
    assert console == ""


def test_an_address_is_a_view(visit: Visit) -> None:
    address = f"#sort=worst&error=miss&joint=wrist&image={MISSED}&ground_truth=0"
    saw, _ = visit(
        "saw.now = now(); saw.ground_truth = all('#canvas .ground-truth').length;", address
    )
    assert saw == {"now": MISSED, "ground_truth": 0}
    saw, console = visit("saw.now = now();", "#sort=none&error=<b>&joint=&show=&image=zebra")
    assert "error" in saw  # nothing passes: there is no image to name
    assert console == ""


def test_poses_are_drawn_where_they_were_predicted(visit: Visit, comparison: Comparison) -> None:
    saw, _ = visit(
        f"""
        await go("#image={MISSED}");
        saw.title = all("#canvas .pose")[1].querySelector("circle.wrong title").textContent;
        const circle = all("#canvas .pose")[1].querySelector("circle.wrong");
        saw.at = [Number(circle.getAttribute("cx")), Number(circle.getAttribute("cy"))];
        saw.row = all("#instances tbody tr")[0].textContent;
        """
    )
    annotations = comparison.annotations
    x, y = annotations.keypoints[2 * (MISSED - 100), annotations.skeleton.index("left_wrist")]
    assert saw["title"] == f"{COARSE}: left wrist, miss"
    assert saw["at"] == pytest.approx([x + 0.5, y + 400.5], abs=0.1)
    assert "1.00" in saw["row"]
    assert "1 miss" in saw["row"]
