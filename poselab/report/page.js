// The image browser. Its whole state is the address after "#", so that plots, cells, the back
// button and a copied address all lead to the same view. Text only ever enters as text nodes.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);

  // ---- data: arrays are base64, those of coordinates are decoded when they are first drawn ----
  const bytes = (text) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const raw = atob(text), out = new Uint8Array(raw.length);
    for (let n = 0; n < raw.length; n++) out[n] = raw.charCodeAt(n);
    return out;
  };
  const lazy = (read) => { let value; return () => (value ??= read()); };
  const lazyInts = (text) => lazy(() => new Int16Array(bytes(text).buffer));
  const { joints, limbs, statuses, units, absent, images } = data;
  const K = joints.length, N = images.id.length, GROUPS = Object.keys(data.groups);
  const instances = {
    points: lazyInts(data.instances.points), boxes: lazyInts(data.instances.boxes),
    visibility: bytes(data.instances.visibility), groups: {},
  };
  for (const name of GROUPS) {
    instances.groups[name] = new Int8Array(bytes(data.instances.groups[name]).buffer);
  }
  const methods = data.methods.map((m) => ({
    name: m.name, points: lazyInts(m.points), unmatched: m.unmatched,
    poseOf: new Int32Array(bytes(m.pose_of).buffer),
    scores: new Float32Array(bytes(m.scores).buffer),
    oks: new Float32Array(bytes(m.oks).buffer),
    statuses: bytes(m.statuses), scoreErrors: bytes(m.score_errors),
  }));
  const STATUS = 7, GROUPED = 8; // bits of a code: its status, and whether another pose has the keypoint
  const FALSE_NEGATIVE = "false negative", BACKGROUND = "background false positive";
  const PAGE = 24;
  const isScored = (i) => !Number.isNaN(methods[0].oks[i]);

  // ---- state ----
  const single = ["sort", "method", "error", "joint", "image", ...GROUPS];
  const sorts = { disagreement: "largest disagreement", worst: "worst OKS", id: "image id" };
  if (methods.length < 2) delete sorts.disagreement;
  const read = () => {
    const asked = new URLSearchParams(location.hash.slice(1)), state = {};
    for (const name of single) state[name] = asked.get(name) || "";
    if (!(state.sort in sorts)) state.sort = Object.keys(sorts)[0];
    const wanted = asked.getAll("show");
    state.shown = methods.map((m) => !asked.has("show") || wanted.includes(m.name));
    state.groundTruth = asked.get("ground_truth") !== "0";
    state.pixels = asked.get("pixels") !== "0";
    return state;
  };
  const write = (state) => {
    const out = new URLSearchParams();
    for (const name of single) if (state[name]) out.set(name, state[name]);
    if (state.shown.includes(false)) {
      const kept = methods.filter((_, n) => state.shown[n]);
      for (const m of kept.length ? kept : [{ name: "" }]) out.append("show", m.name);
    }
    if (!state.groundTruth) out.set("ground_truth", "0");
    if (!state.pixels) out.set("pixels", "0");
    return "#" + out.toString().replaceAll("+", "%20");
  };
  const change = (part, replace) => {
    const hash = write({ ...state, ...part });
    if (replace) location.replace(hash); else location.hash = hash;
  };

  // ---- which images pass the filters, and in which order ----
  const isJoint = (name, k) => joints[k] === name || joints[k].endsWith("_" + name);
  const filteredMethods = () => methods.filter((m, n) => (state.method ? m.name === state.method : state.shown[n]));
  const hasError = (m, i, wantedJoints) => {
    if (state.error === FALSE_NEGATIVE) return m.poseOf[i] < 0 && !Number.isNaN(m.oks[i]);
    if (state.error === "score") return m.scoreErrors[i] > 0;
    const code = statuses.indexOf(state.error);
    return wantedJoints.some((k) => {
      const bits = m.statuses[i * K + k];
      if (state.error === "grouping") return bits & GROUPED;
      return code > 0 ? (bits & STATUS) === code : bits & STATUS;
    });
  };
  const passes = (i, by, wantedJoints) => {
    for (const name of GROUPS) {
      const bin = data.groups[name].indexOf(state[name]);
      if (state[name] && instances.groups[name][i] !== bin) return false;
    }
    return !(state.error || state.joint) || by.some((m) => hasError(m, i, wantedJoints));
  };
  let state, chosen = [], passing = new Uint8Array(images.first[N]), lastFilters = "";
  const measure = (p, by, shown, wantedJoints) => {
    let apart = 0, worst = 2, passed = 0, total = 0;
    for (let i = images.first[p]; i < images.first[p + 1]; i++) {
      if (state.error === BACKGROUND || !isScored(i) || !passes(i, by, wantedJoints)) continue;
      passing[i] = 1;
      passed++;
      let low = 2, high = -1;
      for (const m of shown) { if (m.oks[i] < low) low = m.oks[i]; if (m.oks[i] > high) high = m.oks[i]; }
      apart = Math.max(apart, high - low);
      total += shown.length > 1 ? high - low : 1 - low;
      for (const m of by) if (m.oks[i] < worst) worst = m.oks[i];
    }
    const unmatched = by.reduce((sum, m) => sum + m.unmatched[p + 1] - m.unmatched[p], 0);
    return { p, apart, worst, passed, unmatched, total };
  };
  const choose = () => {
    const filters = JSON.stringify([...single.filter((n) => n !== "image").map((n) => state[n]), state.shown]);
    if (filters === lastFilters) return;
    lastFilters = filters;
    const by = filteredMethods(), shown = methods.filter((_, n) => state.shown[n]);
    const wantedJoints = [...joints.keys()].filter((k) => !state.joint || isJoint(state.joint, k));
    const isFiltered = ["error", "joint", ...GROUPS].some((n) => state[n]);
    passing.fill(0);
    chosen = [];
    for (let p = 0; p < N; p++) {
      const entry = measure(p, by, shown, wantedJoints);
      if (state.error === BACKGROUND ? entry.unmatched : entry.passed || !isFiltered) chosen.push(entry);
    }
    // Compared in hundredths, as displayed; of equals those with the larger total come first.
    const cents = (value) => Math.round(100 * value);
    const orders = {
      disagreement: (a, b) => cents(b.apart) - cents(a.apart) || b.total - a.total,
      worst: (a, b) => cents(a.worst) - cents(b.worst) || b.total - a.total,
      id: (a, b) => images.id[a.p] - images.id[b.p],
    };
    if (state.error === BACKGROUND && state.sort !== "id") chosen.sort((a, b) => b.unmatched - a.unmatched);
    else chosen.sort(orders[state.sort]);
  };
  const place = () => Math.max(0, chosen.findIndex((c) => String(images.id[c.p]) === state.image));

  // ---- drawing ----
  const SVG = "http://www.w3.org/2000/svg";
  const SVG_TAGS = ["svg", "g", "line", "path", "circle", "rect", "image", "text", "title"];
  const make = (tag, attributes, ...inside) => {
    const element = SVG_TAGS.includes(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
    element.append(...inside.filter((part) => part !== null));
    return element;
  };
  const decimals = (oks) => (Number.isNaN(oks) ? "–" : oks.toFixed(2));
  const words = (name) => name.replaceAll("_", " ");
  const limbPath = (points, row, visibility, unit) => {
    let path = "";
    for (const [a, b] of limbs) {
      const [from, to] = [2 * (row * K + a), 2 * (row * K + b)];
      if (visibility ? !(visibility[a] && visibility[b]) : points[from] === absent || points[to] === absent) continue;
      const [x, y, u, v] = [from, from + 1, to, to + 1].map((n) => (points[n] * unit).toFixed(1));
      path += `M${x} ${y}L${u} ${v}`;
    }
    return path;
  };
  const visibilityOf = (i) => instances.visibility.subarray(i * K, i * K + K);
  const drawImage = (p, large) => {
    const width = images.width[p], height = images.height[p], longer = Math.max(width, height);
    const scale = { unit: longer / units, longer, large };
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": large ? null : "true" });
    if (data.pixels[p] && state.pixels) svg.append(make("image", { href: data.pixels[p], width, height }));
    if (state.groundTruth) svg.append(drawGroundTruth(p, scale));
    methods.forEach((m, n) => state.shown[n] && svg.append(drawPoses(m, n, p, scale)));
    return svg;
  };
  const drawGroundTruth = (p, { unit, longer, large }) => {
    const group = make("g", { class: "ground-truth" }), points = instances.points(), boxes = instances.boxes();
    for (let i = images.first[p]; i < images.first[p + 1]; i++) {
      const visibility = visibilityOf(i), instance = make("g", { class: passing[i] ? "" : "faded" });
      const [x, y, u, v] = [0, 1, 2, 3].map((n) => boxes[4 * i + n] * unit);
      if (!visibility.some(Boolean)) instance.append(make("rect", { x, y, width: u - x, height: v - y }));
      instance.append(make("path", { d: limbPath(points, i, visibility, unit) }));
      if (large) {
        visibility.forEach((value, k) => {
          if (!value) return;
          const [cx, cy] = [0, 1].map((axis) => points[2 * (i * K + k) + axis] * unit);
          const title = make("title", {}, `${words(joints[k])}${value === 1 ? ", occluded" : ""}`);
          instance.append(make("circle", { cx, cy, r: longer / 260, class: value === 1 ? "occluded" : "" }, title));
        });
        const number = String(1 + i - images.first[p]);
        if (u > x) instance.append(make("text", { x, y: Math.max(y, longer / 36), "font-size": longer / 42 }, number));
      }
      group.append(instance);
    }
    return group;
  };
  const drawPoses = (m, n, p, scale) => {
    const group = make("g", { class: "pose", style: `--c: var(--m${n % 9})` }), points = m.points();
    for (let i = images.first[p]; i < images.first[p + 1]; i++) {
      if (m.poseOf[i] < 0) continue;
      const path = make("path", { d: limbPath(points, m.poseOf[i], null, scale.unit) });
      const pose = make("g", { class: passing[i] ? "" : "faded" }, path);
      if (scale.large) drawKeypoints(pose, m, i, scale);
      group.append(pose);
    }
    for (let row = m.unmatched[p]; row < m.unmatched[p + 1]; row++) {
      const title = make("title", {}, `${m.name}: unmatched pose, score ${m.scores[row].toFixed(2)}`);
      group.append(make("path", { d: limbPath(points, row, null, scale.unit), class: "unmatched" }, title));
    }
    return group;
  };
  const drawKeypoints = (pose, m, i, { unit, longer }) => {
    const points = m.points(), targets = instances.points();
    for (let k = 0; k < K; k++) {
      const status = m.statuses[i * K + k] & STATUS, target = 2 * (i * K + k), own = 2 * (m.poseOf[i] * K + k);
      if (points[own] === absent) continue;
      const [cx, cy] = [points[own] * unit, points[own + 1] * unit];
      if (status && state.groundTruth) {
        const [x2, y2] = [targets[target] * unit, targets[target + 1] * unit];
        pose.append(make("line", { x1: cx, y1: cy, x2, y2, class: "offset" }));
      }
      const asked = status && (!state.joint || isJoint(state.joint, k)) && (!state.error || statuses[status] === state.error);
      const title = make("title", {}, `${m.name}: ${words(joints[k])}${status ? ", " + statuses[status] : ""}`);
      pose.append(make("circle", {
        cx, cy, r: longer / (status ? 150 : 260), class: status ? "wrong" : "",
        style: status ? `--e: var(--e${status})` : null, "stroke-width": asked ? 3.5 : 2,
      }, title));
    }
  };

  // ---- the page ----
  const showImage = (entry) => {
    const p = entry.p, name = images.file[p] || `image ${images.id[p]}`;
    at("canvas").replaceChildren(drawImage(p, true));
    at("canvas").classList.toggle("has-pixels", p in data.pixels && state.pixels);
    at("canvas").setAttribute("aria-label", `${name} with ground truth and poses`);
    const size = `${images.width[p]} × ${images.height[p]}`;
    at("which").textContent = `${name} · id ${images.id[p]} · ${size} · ${place() + 1} of ${chosen.length}`;
    const columns = ["instance", ...GROUPS, ...methods.map((m) => m.name)];
    const head = make("tr", {}, ...columns.map((column) => make("th", { scope: "col" }, column)));
    const rows = [];
    for (let i = images.first[p]; i < images.first[p + 1]; i++) rows.push(instanceRow(p, i));
    const empty = make("tr", {}, make("td", { colspan: columns.length }, "no annotated instances"));
    at("instances").replaceChildren(make("thead", {}, head), make("tbody", {}, ...(rows.length ? rows : [empty])));
  };
  const instanceRow = (p, i) => {
    const bins = GROUPS.map((g) => make("td", {}, data.groups[g][instances.groups[g][i]] ?? "–"));
    const cells = methods.map((m) => {
      const counts = statuses.map(() => 0);
      for (let k = 0; k < K; k++) counts[m.statuses[i * K + k] & STATUS]++;
      const errors = statuses.map((status, n) => (n && counts[n] ? `${counts[n]} ${status}` : ""));
      if (m.scoreErrors[i]) errors.push("score error");
      const list = errors.filter(Boolean).join(", ");
      const value = Number.isNaN(m.oks[i]) ? "not scored" : m.poseOf[i] < 0 ? "no pose" : decimals(m.oks[i]);
      return make("td", {}, value, list ? make("small", {}, " " + list) : null);
    });
    const number = make("th", { scope: "row" }, String(1 + i - images.first[p]));
    return make("tr", { class: passing[i] ? "" : "dim" }, number, ...bins, ...cells);
  };
  const thumbnailText = (entry) => {
    if (state.error === BACKGROUND) return `${entry.unmatched} unmatched`;
    if (state.sort === "disagreement") return `OKS differs by ${entry.apart.toFixed(2)}`;
    return entry.worst <= 1 ? `worst OKS ${entry.worst.toFixed(2)}` : "–";
  };
  const showList = (n) => {
    const start = PAGE * Math.floor(n / PAGE), part = chosen.slice(start, start + PAGE);
    at("range").textContent = chosen.length ? `${start + 1}–${start + part.length} of ${chosen.length}` : "none";
    at("list").replaceChildren(...part.map((entry, m) => make("li", {}, make("a", {
      href: write({ ...state, image: String(images.id[entry.p]) }),
      "aria-current": start + m === n ? "true" : null,
      title: images.file[entry.p] || images.id[entry.p],
    }, drawImage(entry.p, false), make("span", {}, thumbnailText(entry))))));
    const list = at("list"), current = list.querySelector("[aria-current]");
    if (current) list.scrollTo({ top: current.offsetTop - 80, left: current.offsetLeft - 80 });
  };
  const showControls = () => {
    for (const name of single) if (at("f-" + name)) at("f-" + name).value = state[name];
    methods.forEach((m, n) => at("m-" + n).setAttribute("aria-pressed", state.shown[n]));
    at("ground-truth").setAttribute("aria-pressed", state.groundTruth);
    at("pixels").setAttribute("aria-pressed", state.pixels);
    const count = passing.reduce((sum, one) => sum + one, 0), number = (n) => n.toLocaleString("en");
    const passed = state.error === BACKGROUND ? "" : `, ${number(count)} instances`;
    at("count").textContent = `${number(chosen.length)} of ${number(N)} images${passed}`;
  };
  const render = () => {
    if (location.hash.length > 1 && !location.hash.includes("=")) return; // a section of the page
    state = read();
    choose();
    showControls();
    showList(place());
    if (chosen.length) return showImage(chosen[place()]);
    at("canvas").replaceChildren();
    at("instances").replaceChildren();
    at("which").textContent = "No image passes these filters.";
  };
  const step = (by) => {
    const next = chosen[Math.min(chosen.length - 1, Math.max(0, place() + by))];
    if (next) change({ image: String(images.id[next.p]) }, true);
  };
  const toggleMethod = (n) => {
    if (n < methods.length) change({ shown: state.shown.map((s, m) => s !== (m === n)) }, true);
  };

  // ---- controls ----
  const fill = (name, pairs) => at("f-" + name)?.append(...pairs.map(([value, text]) => make("option", { value }, text)));
  const fillSelects = () => {
    fill("sort", Object.entries(sorts));
    fill("method", [["", "any shown"], ...methods.map((m) => [m.name, m.name])]);
    fill("error", [
      ["", "any"], ...statuses.slice(1).map((status) => [status, status]),
      ["grouping", "grouping: keypoint in another pose"], ["score", "score: ranked below a worse pose"],
      [FALSE_NEGATIVE, `${FALSE_NEGATIVE}: no matched pose`], [BACKGROUND, `${BACKGROUND}: unmatched pose`],
    ]);
    const both = joints.filter((j) => j.startsWith("left_")).map((j) => j.slice(5)).filter((j) => joints.includes("right_" + j));
    fill("joint", [["", "any"], ...both.map((j) => [j, `${words(j)}, either`]), ...joints.map((j) => [j, words(j)])]);
    for (const name of GROUPS) fill(name, [["", "any"], ...data.groups[name].map((label) => [label, label])]);
    for (const name of single) {
      at("f-" + name)?.addEventListener("change", (event) => change({ [name]: event.target.value, image: "" }));
    }
  };
  const actions = {
    "ground-truth": () => change({ groundTruth: !state.groundTruth }, true),
    pixels: () => change({ pixels: !state.pixels }, true),
    help: () => at("keys").showModal(),
    previous: () => step(-1), next: () => step(1), back: () => step(-PAGE), forward: () => step(PAGE),
    clear: () => { location.hash = "#sort=" + state.sort; },
  };
  const keys = {
    j: actions.next, ArrowRight: actions.next, k: actions.previous, ArrowLeft: actions.previous,
    J: actions.forward, K: actions.back, g: actions["ground-truth"], p: actions.pixels,
    c: actions.clear, "?": actions.help,
  };
  fillSelects();
  methods.forEach((_, n) => at("m-" + n).addEventListener("click", () => toggleMethod(n)));
  at("pixels").hidden = !Object.keys(data.pixels).length;
  for (const [name, action] of Object.entries(actions)) at(name).addEventListener("click", action);
  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey || at("keys").open || typing) return;
    const action = /^[1-9]$/.test(event.key) ? () => toggleMethod(event.key - 1) : keys[event.key];
    if (action) { event.preventDefault(); action(); }
  });
  addEventListener("hashchange", render);
  // Links of plots and tables lead to the browser, wherever on the page they are.
  addEventListener("click", (event) => {
    const link = event.target.closest?.("a");
    const to = link?.getAttribute("href") ?? link?.getAttribute("xlink:href") ?? "";
    if (to.includes("=") && !at("browser").contains(link)) at("browser").scrollIntoView();
  });
  state = read();
  render();
  if (location.hash.includes("=")) at("browser").scrollIntoView();
})();
