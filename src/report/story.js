"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const rows = [...document.querySelectorAll(".rows .r")];
  const charts = [...document.querySelectorAll(".rows svg, .head svg")];
  const style = document.head.appendChild(document.createElement("style"));
  const lines = [...document.querySelectorAll(".rows .line")];
  const hidden = new Set();
  const ends = lines.map((l) => [+l.getAttribute("x1"), +l.getAttribute("x2")]);
  let now = -1;

  document.documentElement.classList.add("script");

  const add = (to, tag, text, name) => {
    const e = to.appendChild(document.createElement(tag));
    if (text !== undefined) e.textContent = text;
    if (name) e.className = name;
    return e;
  };

  /* The state of every object behind event @at. */
  const states = (at) => {
    const out = data.objects.map((o) => o.first);
    for (let i = 0; i <= at; i++) if (data.events[i].after !== undefined) out[data.events[i].object] = data.events[i].after;
    return out;
  };

  const show = (i) => {
    const e = data.events[i];
    const detail = document.getElementById("detail");
    const objects = document.getElementById("states");
    const row = (name, text, cls) => {
      const tr = add(detail, "tr");
      add(tr, "td", name);
      add(tr, "td", text, cls);
    };
    if (now >= 0) rows[now].classList.remove("on");
    now = i;
    rows[i].classList.add("on");
    document.getElementById("place").textContent = `step ${e.step} of ${data.steps}, ${data.lanes[e.lane]}`;
    document.getElementById("inloop").textContent = data.loop !== null && i >= data.loop ? "in the loop" : "";
    detail.textContent = "";
    row("what", e.text, e.tone);
    if (e.call) row(e.kind === "begin" ? "call" : "in", e.call + (e.outcome ? `, which ends with ${e.outcome}` : ""));
    if (e.meaning) row("means", e.meaning);
    if (e.object !== undefined) {
      row("object", data.objects[e.object].name);
      const value = (raw, state) => raw === state ? raw : `${raw}  ${state}`;
      row("old", value(e.old, e.before));
      row("new", value(e.new, e.after));
    }
    (e.where || []).forEach((w, n) => row(n ? "called from" : "function", w));
    objects.textContent = "";
    states(i).forEach((s, n) => {
      const line = add(objects, "div", undefined, e.object === n ? "now" : "");
      add(line, "span", data.objects[n].name);
      add(line, "b", s);
    });
    const box = rows[i].getBoundingClientRect();
    const top = document.querySelector(".head").getBoundingClientRect().height + 30;
    const bottom = innerHeight - document.getElementById("panel").offsetHeight - 30;
    if (box.top < top) scrollBy(0, box.top - top);
    else if (box.bottom > bottom) scrollBy(0, box.bottom - bottom);
  };

  const seen = (i) => rows[i].style.display !== "none";
  const step = (by) => {
    let i = now + by;
    while (i >= 0 && i < rows.length && !seen(i)) i += by;
    if (i >= 0 && i < rows.length) show(i);
  };
  const edge = (from, by) => {
    let i = from;
    while (i >= 0 && i < rows.length && !seen(i)) i += by;
    if (i >= 0 && i < rows.length) show(i);
  };

  /* Columns close up over hidden ones, and rows over those that are about them. */
  const layout = () => {
    const shift = [];
    let off = 0;
    data.columns.forEach((c, k) => {
      shift[k] = off;
      if (hidden.has(k)) off += c.width;
    });
    style.textContent = data.columns.map((c, k) => hidden.has(k) ? `.k${k}{display:none}` :
      shift[k] ? `.k${k}{transform:translateX(-${shift[k]}px)}` : "").join("") +
      `.line{transform:none!important}.src{transform:translateX(-${off}px)}`;
    lines.forEach((l, n) => {
      const [from, to] = [...l.classList].filter((c) => /^k\d+$/.test(c)).map((c) => shift[+c.slice(1)]);
      l.setAttribute("x1", ends[n][0] - from);
      l.setAttribute("x2", ends[n][1] - to);
    });
    for (const svg of charts) {
      let y = 0;
      for (const r of svg.querySelectorAll(".r")) {
        const out = r.dataset.k.split(" ").some((k) => hidden.has(+k));
        r.style.display = out ? "none" : "";
        if (out) continue;
        r.setAttribute("transform", `translate(0,${y})`);
        y += data.row;
      }
      if (!svg.closest(".head")) {
        svg.setAttribute("height", y);
        svg.setAttribute("viewBox", `0 0 ${data.width} ${y}`);
        svg.style.display = y ? "" : "none";
      }
    }
  };

  document.querySelectorAll(".filters input").forEach((box) => {
    box.checked = true;
    box.addEventListener("change", () => {
      hidden[box.checked ? "delete" : "add"](+box.value);
      layout();
    });
  });
  rows.forEach((r, i) => r.addEventListener("click", () => show(i)));
  document.getElementById("prev").addEventListener("click", () => step(-1));
  document.getElementById("next").addEventListener("click", () => step(1));
  document.addEventListener("keydown", (ev) => {
    if (ev.ctrlKey || ev.altKey || ev.metaKey) return;
    const act = { ArrowDown: () => step(1), ArrowRight: () => step(1), ArrowUp: () => step(-1), ArrowLeft: () => step(-1),
      PageDown: () => { for (let n = 0; n < 10; n++) step(1); }, PageUp: () => { for (let n = 0; n < 10; n++) step(-1); },
      Home: () => edge(0, 1), End: () => edge(rows.length - 1, -1) }[ev.key];
    if (!act) return;
    ev.preventDefault();
    act();
  });
  if (rows.length) show(0);
  scrollTo(0, 0);
})();
