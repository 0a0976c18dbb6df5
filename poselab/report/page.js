// The image browser. Its whole state is the address after "#", so that plots, cells, the back
// button and a copied address all lead to the same view. Text only ever enters as text nodes.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const bytes = (text) => {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const raw = atob(text), out = new Uint8Array(raw.length);
    for (let n = 0; n < raw.length; n++) out[n] = raw.charCodeAt(n);
    return out;
  };
  const later = (read) => { let value; return () => (value ??= read()); };
  const ints = (text) => new Int16Array(bytes(text).buffer);
  const { joints, limbs, kinds, units, absent, images } = data;
  const K = joints.length, N = images.id.length;
  const instances = {
    points: later(() => ints(data.instances.points)), boxes: later(() => ints(data.instances.boxes)),
    visibility: bytes(data.instances.visibility), groups: {},
  };
  for (const [name, text] of Object.entries(data.instances.groups)) instances.groups[name] = new Int8Array(bytes(text).buffer);
  const methods = data.methods.map((m) => ({
    name: m.name, extra: m.extra, points: later(() => ints(m.points)),
    of: new Int32Array(bytes(m.of).buffer), oks: new Float32Array(bytes(m.oks).buffer),
    scores: new Float32Array(bytes(m.scores).buffer), kinds: bytes(m.kinds), misranked: bytes(m.misranked),
  }));
  const KIND = 7, ELSEWHERE = 8; // bits of an error code: its kind, and whether another pose has the joint
  const UNFOUND = "false negative", NOBODY = "background", PAGE = 24;

  // ---- state ----
  const single = ["sort", "method", "error", "joint", "image", ...Object.keys(data.groups)];
  const sorts = { disagreement: "largest disagreement", worst: "worst OKS", id: "image id" };
  if (methods.length < 2) delete sorts.disagreement;
  const read = () => {
    const asked = new URLSearchParams(location.hash.slice(1)), state = {};
    for (const name of single) state[name] = asked.get(name) || "";
    if (!(state.sort in sorts)) state.sort = Object.keys(sorts)[0];
    const wanted = asked.getAll("show");
    state.shown = methods.map((m) => !asked.has("show") || wanted.includes(m.name));
    state.truth = asked.get("truth") !== "0";
    state.photo = asked.get("photo") !== "0";
    return state;
  };
  const write = (state) => {
    const out = new URLSearchParams();
    for (const name of single) if (state[name]) out.set(name, state[name]);
    if (state.shown.includes(false)) {
      const kept = methods.filter((_, n) => state.shown[n]);
      for (const m of kept.length ? kept : [{ name: "" }]) out.append("show", m.name);
    }
    if (!state.truth) out.set("truth", "0");
    if (!state.photo) out.set("photo", "0");
    return "#" + out.toString().replaceAll("+", "%20");
  };
  const change = (part, again) => {
    const hash = write({ ...state, ...part });
    if (again) location.replace(hash); else location.hash = hash;
  };

  // ---- what passes the filters, and in which order ----
  const isJoint = (name, k) => joints[k] === name || joints[k].endsWith("_" + name);
  const asking = () => methods.map((m, n) => n).filter((n) => (state.method ? methods[n].name === state.method : state.shown[n]));
  const errs = (m, i, wanted) => {
    if (state.error === UNFOUND) return m.of[i] < 0 && m.oks[i] === m.oks[i];
    if (state.error === "score") return m.misranked[i] > 0;
    const code = kinds.indexOf(state.error);
    return wanted.some((k) => {
      const bits = m.kinds[i * K + k];
      return state.error === "grouping" ? bits & ELSEWHERE : code > 0 ? (bits & KIND) === code : bits & KIND;
    });
  };
  const passes = (i, by, wanted) => {
    for (const name of Object.keys(data.groups)) {
      const bin = data.groups[name].indexOf(state[name]);
      if (state[name] && instances.groups[name][i] !== bin) return false;
    }
    return !(state.error || state.joint) || by.some((m) => errs(methods[m], i, wanted));
  };
  let state, chosen = [], passing = new Uint8Array(images.first[N]), filtered = "";
  const choose = () => {
    const key = JSON.stringify([...single.filter((n) => n !== "image").map((n) => state[n]), state.shown]);
    if (key === filtered) return;
    filtered = key;
    const by = asking(), shown = methods.filter((_, n) => state.shown[n]);
    const wanted = [...joints.keys()].filter((k) => !state.joint || isJoint(state.joint, k));
    const some = single.slice(1).some((n) => n !== "image" && n !== "method" && state[n]);
    passing.fill(0);
    chosen = [];
    for (let p = 0; p < N; p++) {
      let apart = 0, worst = 2, passed = 0, total = 0;
      for (let i = images.first[p]; i < images.first[p + 1]; i++) {
        if (state.error === NOBODY || methods[0].oks[i] !== methods[0].oks[i] || !passes(i, by, wanted)) continue;
        passing[i] = 1;
        passed++;
        let low = 2, high = -1;
        for (const m of shown) { if (m.oks[i] < low) low = m.oks[i]; if (m.oks[i] > high) high = m.oks[i]; }
        apart = Math.max(apart, high - low);
        total += shown.length > 1 ? high - low : 1 - low;
        for (const n of by) if (methods[n].oks[i] < worst) worst = methods[n].oks[i];
      }
      const nobody = by.reduce((sum, n) => sum + methods[n].extra[p + 1] - methods[n].extra[p], 0);
      if (state.error === NOBODY ? nobody : passed || !some) chosen.push({ p, apart, worst, passed, nobody, total });
    }
    const cents = (value) => Math.round(100 * value); // as shown; of equals those with more of it first
    const rank = {
      disagreement: (a, b) => cents(b.apart) - cents(a.apart) || b.total - a.total,
      worst: (a, b) => cents(a.worst) - cents(b.worst) || b.total - a.total,
      id: (a, b) => images.id[a.p] - images.id[b.p],
    };
    if (state.error === NOBODY && state.sort !== "id") chosen.sort((a, b) => b.nobody - a.nobody);
    else chosen.sort(rank[state.sort]);
  };
  const place = () => Math.max(0, chosen.findIndex((c) => String(images.id[c.p]) === state.image));

  // ---- drawing ----
  const SVG = "http://www.w3.org/2000/svg";
  const make = (tag, attributes, ...inside) => {
    const node = ["svg", "g", "line", "path", "circle", "rect", "image", "text", "title"].includes(tag)
      ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(name, value);
    node.append(...inside.filter((part) => part !== null));
    return node;
  };
  const percent = (oks) => (oks === oks ? oks.toFixed(2) : "–");
  const spoken = (name) => name.replaceAll("_", " ");
  const skeleton = (points, row, seen, unit) => {
    let path = "";
    for (const [a, b] of limbs) {
      if (seen ? !(seen[a] && seen[b]) : points[2 * (row * K + a)] === absent || points[2 * (row * K + b)] === absent) continue;
      const [x, y, u, v] = [row * K + a, row * K + b].flatMap((n) => [points[2 * n] * unit, points[2 * n + 1] * unit]);
      path += `M${x.toFixed(1)} ${y.toFixed(1)}L${u.toFixed(1)} ${v.toFixed(1)}`;
    }
    return path;
  };
  const visible = (i) => instances.visibility.subarray(i * K, i * K + K);
  const canvas = (p, large) => {
    const width = images.width[p], height = images.height[p], longer = Math.max(width, height);
    const unit = longer / units, svg = make("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": large ? null : "true" });
    if (data.pixels[p] && state.photo) svg.append(make("image", { href: data.pixels[p], width, height }));
    if (state.truth) svg.append(truth(p, unit, longer, large));
    methods.forEach((m, n) => state.shown[n] && svg.append(poses(m, n, p, unit, longer, large)));
    return svg;
  };
  const truth = (p, unit, longer, large) => {
    const group = make("g", { class: "truth" }), points = instances.points(), boxes = instances.boxes();
    for (let i = images.first[p]; i < images.first[p + 1]; i++) {
      const seen = visible(i), person = make("g", { class: passing[i] ? "" : "faded" });
      const [x, y, u, v] = [0, 1, 2, 3].map((n) => boxes[4 * i + n] * unit);
      if (!seen.some(Boolean)) person.append(make("rect", { x, y, width: u - x, height: v - y }));
      person.append(make("path", { d: skeleton(points, i, seen, unit) }));
      if (large) {
        seen.forEach((s, k) => s && person.append(make("circle", { cx: points[2 * (i * K + k)] * unit, cy: points[2 * (i * K + k) + 1] * unit, r: longer / 260, class: s === 1 ? "occluded" : "" },
          make("title", {}, `${spoken(joints[k])}${s === 1 ? ", occluded" : ""}`))));
        if (u > x) person.append(make("text", { x, y: Math.max(y, longer / 36), "font-size": longer / 42 }, String(1 + i - images.first[p])));
      }
      group.append(person);
    }
    return group;
  };
  const poses = (m, n, p, unit, longer, large) => {
    const group = make("g", { class: "pose", style: `--c: var(--m${n % 9})` }), points = m.points();
    for (let i = images.first[p]; i < images.first[p + 1]; i++) {
      if (m.of[i] < 0) continue;
      const person = make("g", { class: passing[i] ? "" : "faded" }, make("path", { d: skeleton(points, m.of[i], null, unit) }));
      if (large) dots(person, m, i, unit, longer);
      group.append(person);
    }
    for (let row = m.extra[p]; row < m.extra[p + 1]; row++) {
      const title = make("title", {}, `${m.name}: pose of nobody, score ${m.scores[row].toFixed(2)}`);
      group.append(make("path", { d: skeleton(points, row, null, unit), class: "nobody" }, title));
    }
    return group;
  };
  const dots = (person, m, i, unit, longer) => {
    const points = m.points(), goal = instances.points(), seen = visible(i);
    for (let k = 0; k < K; k++) {
      const kind = m.kinds[i * K + k] & KIND, g = 2 * (i * K + k), f = 2 * (m.of[i] * K + k);
      if (points[f] === absent) continue;
      const [cx, cy] = [points[f] * unit, points[f + 1] * unit];
      if (kind && state.truth) person.append(make("line", { x1: cx, y1: cy, x2: goal[g] * unit, y2: goal[g + 1] * unit, class: "off" }));
      const asked = kind && (!state.joint || isJoint(state.joint, k)) && (!state.error || kinds[kind] === state.error);
      person.append(make("circle", { cx, cy, r: longer / (kind ? 150 : 260), class: kind ? "wrong" : "", style: kind ? `--e: var(--e${kind})` : null, "stroke-width": asked ? 3.5 : 2 },
        make("title", {}, `${m.name}: ${spoken(joints[k])}${kind ? ", " + kinds[kind] : ""}`)));
    }
  };

  // ---- the page ----
  const show = (entry) => {
    const p = entry.p, name = images.file[p] || `image ${images.id[p]}`, n = place();
    at("canvas").replaceChildren(canvas(p, true));
    at("canvas").classList.toggle("photo", p in data.pixels && state.photo);
    at("canvas").setAttribute("aria-label", `${name}, drawn: labels and poses`);
    at("which").textContent = `${name} · id ${images.id[p]} · ${images.width[p]} × ${images.height[p]} · ${n + 1} of ${chosen.length}`;
    const head = make("tr", {}, make("th", { scope: "col" }, "person"), ...Object.keys(data.groups).map((g) => make("th", { scope: "col" }, g)), ...methods.map((m) => make("th", { scope: "col" }, m.name)));
    const rows = [];
    for (let i = images.first[p]; i < images.first[p + 1]; i++) rows.push(personRow(p, i));
    const empty = make("tr", {}, make("td", { colspan: 9 }, "nobody is labelled here"));
    at("figures").replaceChildren(make("thead", {}, head), make("tbody", {}, ...(rows.length ? rows : [empty])));
  };
  const personRow = (p, i) => {
    const bins = Object.keys(data.groups).map((g) => make("td", {}, data.groups[g][instances.groups[g][i]] ?? "–"));
    const cells = methods.map((m) => {
      const counts = kinds.map(() => 0);
      for (let k = 0; k < K; k++) counts[m.kinds[i * K + k] & KIND]++;
      const words = kinds.map((kind, n) => n && counts[n] ? `${counts[n]} ${kind}` : "").concat(m.misranked[i] ? "score error" : "").filter(Boolean).join(", ");
      const figure = m.oks[i] !== m.oks[i] ? "not scored" : m.of[i] < 0 ? "not found" : percent(m.oks[i]);
      return make("td", {}, figure, words ? make("small", {}, " " + words) : null);
    });
    return make("tr", { class: passing[i] ? "" : "dim" }, make("th", { scope: "row" }, String(1 + i - images.first[p])), ...bins, ...cells);
  };
  const list = (n) => {
    const start = PAGE * Math.floor(n / PAGE), part = chosen.slice(start, start + PAGE);
    at("range").textContent = chosen.length ? `${start + 1}–${start + part.length} of ${chosen.length}` : "none";
    at("list").replaceChildren(...part.map((entry, m) => {
      const words = state.error === NOBODY ? `${entry.nobody} of nobody` : state.sort === "disagreement" ? `${entry.apart.toFixed(2)} apart` : entry.worst <= 1 ? `worst ${entry.worst.toFixed(2)}` : "–";
      const link = make("a", { href: write({ ...state, image: String(images.id[entry.p]) }), "aria-current": start + m === n ? "true" : null, title: images.file[entry.p] || images.id[entry.p] }, canvas(entry.p, false), make("span", {}, words));
      return make("li", {}, link);
    }));
    const list = at("list"), current = list.querySelector("[aria-current]");
    if (current) list.scrollTo({ top: current.offsetTop - 80, left: current.offsetLeft - 80 });
  };
  const controls = () => {
    for (const name of single) if (at("f-" + name)) at("f-" + name).value = state[name];
    methods.forEach((m, n) => at("m-" + n).setAttribute("aria-pressed", state.shown[n]));
    at("truth").setAttribute("aria-pressed", state.truth);
    at("photo").setAttribute("aria-pressed", state.photo);
    const who = passing.reduce((sum, one) => sum + one, 0);
    at("count").textContent = `${chosen.length.toLocaleString("en")} of ${N.toLocaleString("en")} images` + (state.error === NOBODY ? "" : `, ${who.toLocaleString("en")} people`);
  };
  const render = () => {
    if (location.hash.length > 1 && !location.hash.includes("=")) return; // a section of the page
    state = read();
    choose();
    controls();
    list(place());
    if (chosen.length) show(chosen[place()]);
    else { at("canvas").replaceChildren(); at("figures").replaceChildren(); at("which").textContent = "No image passes these filters."; }
  };
  const step = (by) => {
    const next = chosen[Math.min(chosen.length - 1, Math.max(0, place() + by))];
    if (next) change({ image: String(images.id[next.p]) }, true);
  };
  const toggle = (n) => n < methods.length && change({ shown: state.shown.map((s, m) => s !== (m === n)) }, true);
  const options = (name, pairs) => at("f-" + name)?.append(...pairs.map(([value, text]) => make("option", { value }, text)));
  const build = () => {
    options("sort", Object.entries(sorts));
    options("method", [["", "any shown"], ...methods.map((m) => [m.name, m.name])]);
    options("error", [["", "any"], ...kinds.slice(1).map((k) => [k, k]), ["grouping", "grouping: joint in another pose"], ["score", "score: ranked below a worse pose"], [UNFOUND, "false negative: nobody answers"], [NOBODY, "background: pose of nobody"]]);
    const both = joints.filter((j) => j.startsWith("left_")).map((j) => j.slice(5)).filter((j) => joints.includes("right_" + j));
    options("joint", [["", "any"], ...both.map((j) => [j, `${spoken(j)}, either`]), ...joints.map((j) => [j, spoken(j)])]);
    for (const [name, labels] of Object.entries(data.groups)) options(name, [["", "any"], ...labels.map((l) => [l, l])]);
    for (const name of single) at("f-" + name)?.addEventListener("change", (event) => change({ [name]: event.target.value, image: "" }));
    methods.forEach((_, n) => at("m-" + n).addEventListener("click", () => toggle(n)));
    at("photo").hidden = !Object.keys(data.pixels).length;
    const acts = { truth: () => change({ truth: !state.truth }, true), photo: () => change({ photo: !state.photo }, true), help: () => at("keys").showModal(), previous: () => step(-1), next: () => step(1), back: () => step(-PAGE), forward: () => step(PAGE), clear: () => { location.hash = "#sort=" + state.sort; } };
    for (const [name, act] of Object.entries(acts)) at(name).addEventListener("click", act);
    return acts;
  };
  const acts = build();
  const keys = { j: acts.next, ArrowRight: acts.next, k: acts.previous, ArrowLeft: acts.previous, J: acts.forward, K: acts.back, g: acts.truth, p: acts.photo, c: acts.clear, "?": acts.help };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || at("keys").open || event.target.closest?.("input, select, textarea")) return;
    const act = /^[1-9]$/.test(event.key) ? () => toggle(event.key - 1) : keys[event.key];
    if (act) { event.preventDefault(); act(); }
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
