// A plane of objects: hover shows the cell, a lasso (or a class) lists the objects in it.
const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000"];
const SYMBOLS = ["circle", "diamond", "cross", "triangle-up", "square-open"];
const GREY = "#8a929b";
const SHOWN = 24; // pictures of what is chosen
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const found = JSON.parse(await new Response(stream).text());
  let before = "";
  const ids = [];
  for (let i = 0; i < found.ids.length; i += 2) {
    before = before.slice(0, found.ids[i]) + found.ids[i + 1];
    ids.push(before);
  }
  const place = (values, axis) => Float64Array.from(
    values, (v) => found.low[axis] + (v / found.steps) * found.span[axis]);
  return { ...found, ids, x: place(found.x, 0), y: place(found.y, 1) };
}

function picture(id) {
  const figure = document.createElement("figure");
  if (THUMBS[id]) {
    const image = document.createElement("img");
    image.src = "data:image/webp;base64," + THUMBS[id];
    image.alt = id;
    figure.append(image);
  }
  const caption = document.createElement("figcaption");
  caption.textContent = caption.title = id;
  figure.append(caption);
  return figure;
}

// One trace per value of the column, or one with a scale of colours where it holds numbers.
function traces(points, column) {
  const base = (rows) => ({
    type: "scatter", mode: "markers", hoverinfo: "none", customdata: rows,
    x: rows.map((i) => points.x[i]), y: rows.map((i) => points.y[i]),
  });
  const made = [];
  if (points.density) {
    const cells = points.density.length;
    made.push({
      type: "heatmap", z: points.density.map((row) => row.map((n) => (n ? Math.log10(1 + n) : null))),
      x0: points.low[0] + points.span[0] / cells / 2, dx: points.span[0] / cells,
      y0: points.low[1] + points.span[1] / cells / 2, dy: points.span[1] / cells,
      colorscale: [[0, "#eef1f4"], [1, "#9aa5b1"]], showscale: false, hoverinfo: "skip",
    });
  }
  if (!column) return [...made, { ...base(points.drawn), showlegend: false, marker: { size: 6, color: COLOURS[0] } }];
  if (!column.labels) {
    const marker = { size: 6, color: points.drawn.map((i) => column.values[i]), colorscale: "Cividis",
      colorbar: { title: { text: escaped(column.name) }, thickness: 12 } };
    return [...made, { ...base(points.drawn), showlegend: false, marker }];
  }
  const rows = new Map();
  for (const i of points.drawn) {
    const value = column.values[i];
    if (!rows.has(value)) rows.set(value, []);
    rows.get(value).push(i);
  }
  for (const value of [...rows.keys()].sort((a, b) => a - b)) {
    const marker = value < 0 ? { size: 5, color: GREY, symbol: "circle-open" } : {
      size: 6, opacity: 0.85, color: COLOURS[value % COLOURS.length],
      symbol: SYMBOLS[Math.floor(value / COLOURS.length) % SYMBOLS.length] };
    made.push({ ...base(rows.get(value)), marker, meta: value,
      name: value < 0 ? "no value" : escaped(column.labels[value]) });
  }
  return made;
}

const LAYOUT = {
  template: "none", height: 560, dragmode: "lasso", hovermode: "closest", showlegend: true,
  font: { family: "system-ui, sans-serif", size: 13, color: "#1b1f24" },
  margin: { l: 20, r: 20, t: 40, b: 20 }, modebar: { bgcolor: "rgba(0,0,0,0)", color: "#5a6470", activecolor: "#0072B2" },
  legend: { itemsizing: "constant" },
  paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
  xaxis: { showticklabels: false, showgrid: false, zeroline: false, showline: true, mirror: true, linecolor: "#d9dee4" },
  yaxis: { showticklabels: false, showgrid: false, zeroline: false, showline: true, mirror: true, linecolor: "#d9dee4" },
};
const TOOLS = { displaylogo: false, responsive: true, displayModeBar: true, modeBarButtons: [
  ["lasso2d", "select2d", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]] };

function inside(x, y, xs, ys) {
  let odd = false;
  for (let i = 0, j = xs.length - 1; i < xs.length; j = i++) {
    if (ys[i] > y !== ys[j] > y && x < ((xs[j] - xs[i]) * (y - ys[i])) / (ys[j] - ys[i]) + xs[i]) odd = !odd;
  }
  return odd;
}

function chosenBy(event, points, column, hidden) {
  const found = [];
  const { lassoPoints, range } = event;
  for (let i = 0; i < points.ids.length; i++) {
    if (column && column.labels && hidden.has(column.values[i])) continue;
    const x = points.x[i], y = points.y[i];
    const taken = lassoPoints ? inside(x, y, lassoPoints.x, lassoPoints.y)
      : range && x >= Math.min(...range.x) && x <= Math.max(...range.x)
        && y >= Math.min(...range.y) && y <= Math.max(...range.y);
    if (taken) found.push(i);
  }
  return found;
}

class Plane {
  constructor(box, points) {
    this.box = box;
    this.points = points;
    this.at = -1; // the point that the keyboard is at
    this.chosen = [];
    this.plot = box.querySelector(".points");
    this.card = box.querySelector(".card");
    this.by = box.querySelector(".by");
    this.value = box.querySelector(".value");
    for (const [i, column] of points.columns.entries()) this.by.add(new Option(column.name, i));
    this.by.closest("label").hidden = !points.columns.length;
    this.by.addEventListener("change", () => this.draw());
    box.querySelector(".take").addEventListener("click", () => this.takeValue());
    box.querySelector(".clear").addEventListener("click", () => this.choose([]));
    box.querySelector(".copy").addEventListener("click", () => this.copy());
    box.querySelector(".download").addEventListener("click", () => this.download());
    box.querySelector(".plot").addEventListener("keydown", (event) => this.key(event));
    box.querySelector(".plot").addEventListener("blur", () => { this.card.hidden = true; });
  }

  get column() { return this.points.columns[Number(this.by.value)]; }

  async draw() {
    const column = this.column;
    await Plotly.react(this.plot, traces(this.points, column), LAYOUT, TOOLS);
    const labels = (column && column.labels) || [];
    this.value.replaceChildren(...labels.map((label, i) => new Option(label, i)));
    for (const part of this.box.querySelectorAll(".byvalue")) part.hidden = !labels.length;
    if (this.heard) return;
    this.heard = true;
    this.plot.on("plotly_hover", (event) => this.show(event.points[0].customdata, event.event));
    this.plot.on("plotly_unhover", () => { this.card.hidden = true; });
    this.plot.on("plotly_selected", (event) => event && this.choose(
      chosenBy(event, this.points, this.column, this.hidden()), false));
    this.plot.on("plotly_deselect", () => this.choose([], false));
  }

  hidden() { return new Set(this.plot.data.filter((t) => t.visible === "legendonly").map((t) => t.meta)); }

  told(i) {
    return this.points.columns.filter((c) => c.labels).slice(0, 4).map(
      (c) => `${c.name}: ${c.values[i] < 0 ? "–" : c.labels[c.values[i]]}`);
  }

  show(i, mouse) {
    if (i === undefined) return;
    const figure = picture(this.points.ids[i]);
    for (const line of this.told(i)) {
      const text = document.createElement("figcaption");
      text.textContent = line;
      figure.append(text);
    }
    this.card.replaceChildren(figure);
    const around = this.box.querySelector(".plot").getBoundingClientRect();
    this.card.style.left = mouse ? `${Math.min(mouse.clientX - around.left + 14, around.width - 150)}px` : "24px";
    this.card.style.top = mouse ? `${Math.min(mouse.clientY - around.top + 14, around.height - 170)}px` : "24px";
    this.card.hidden = false;
  }

  choose(rows, own = true) {
    this.chosen = rows;
    if (own) { // no lasso of plotly's: what it dims, and its outline, go
      Plotly.restyle(this.plot, { selectedpoints: [null] });
      Plotly.relayout(this.plot, { selections: [] });
    }
    const ids = rows.map((i) => this.points.ids[i]);
    this.box.querySelector("[role=status]").textContent = rows.length
      ? `${rows.length.toLocaleString("en")} of ${this.points.ids.length.toLocaleString("en")} objects chosen.`
      : "No objects chosen.";
    this.box.querySelector("textarea").value = ids.join("\n");
    for (const button of this.box.querySelectorAll(".copy, .download")) button.disabled = !rows.length;
    const seen = ids.filter((id) => THUMBS[id]).slice(0, SHOWN);
    this.box.querySelector(".examples").replaceChildren(...seen.map(picture));
  }

  takeValue() {
    const wanted = Number(this.value.value);
    const column = this.column;
    this.choose([...this.points.ids.keys()].filter((i) => column.values[i] === wanted));
  }

  key(event) {
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (way) this.go(way);
    else if (event.key === "Enter" && this.at >= 0) {
      const others = this.chosen.filter((i) => i !== this.at);
      this.choose(others.length < this.chosen.length ? others : [...others, this.at]);
    } else return;
    event.preventDefault();
  }

  // To the nearest point in a direction: within 45 degrees of it, else anywhere on that side.
  go([dx, dy]) {
    const { drawn, x, y, span } = this.points;
    if (this.at < 0) this.at = drawn[0];
    else {
      let best = -1, least = Infinity;
      for (const i of drawn) {
        const along = dx * (x[i] - x[this.at]) / span[0] + dy * (y[i] - y[this.at]) / span[1];
        const aside = Math.abs(dy * (x[i] - x[this.at]) / span[0]) + Math.abs(dx * (y[i] - y[this.at]) / span[1]);
        const cost = along + (aside > along ? 3 * aside : aside);
        if (along > 0 && cost < least) { best = i; least = cost; }
      }
      if (best >= 0) this.at = best;
    }
    Plotly.relayout(this.plot, { shapes: [this.ring()] });
    this.show(this.at);
  }

  ring() {
    return { type: "circle", xsizemode: "pixel", ysizemode: "pixel", xanchor: this.points.x[this.at],
      yanchor: this.points.y[this.at], x0: -9, x1: 9, y0: -9, y1: 9, line: { width: 3, color: "#1b1f24" } };
  }

  async copy() {
    const text = this.box.querySelector("textarea");
    try {
      await navigator.clipboard.writeText(text.value);
    } catch { // a page that was opened from disk may not be allowed to
      text.select();
      document.execCommand("copy");
    }
    this.box.querySelector("[role=status]").textContent = `${this.chosen.length.toLocaleString("en")} object_ids copied.`;
  }

  download() {
    const link = document.createElement("a");
    const rows = ["object_id", ...this.chosen.map((i) => this.points.ids[i])];
    link.href = URL.createObjectURL(new Blob([rows.join("\n") + "\n"], { type: "text/csv" }));
    link.download = "objects.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}

for (const [name, text] of Object.entries(PLANES)) {
  const box = document.getElementById(name);
  whenNear(box, async () => {
    try {
      await new Plane(box, await unpacked(text)).draw();
    } catch (error) {
      box.querySelector("[role=status]").textContent = `This browser cannot draw it (${error.message}).`;
    }
  });
}
