// Draws the charts, and shows the crops behind a cell of a chart when it is chosen.
for (const [name, figure] of Object.entries(CHARTS)) {
  const box = document.getElementById(name);
  box.style.minHeight = `${figure.layout.height}px`;
  whenNear(box, async () => {
    await Plotly.newPlot(name, figure.data, figure.layout, {displayModeBar: false, responsive: true});
    if (EXAMPLES[name]) box.on("plotly_click", (event) => choose(name, event.points[0].customdata));
  });
}
function choose(chart, key) {
  const box = document.getElementById(chart + "-examples");
  const ids = (EXAMPLES[chart] || {})[key];
  if (!box || !ids) return;
  box.replaceChildren(...ids.map(picture));
  for (const button of document.querySelectorAll(`button[data-chart="${chart}"]`)) {
    button.setAttribute("aria-pressed", String(button.dataset.key === key));
  }
  const select = document.querySelector(`select[data-chart="${chart}"]`);
  if (select) select.value = key;
}
for (const select of document.querySelectorAll("select[data-chart]")) {
  select.addEventListener("change", () => choose(select.dataset.chart, select.value));
}
for (const button of document.querySelectorAll("button[data-chart]")) {
  button.addEventListener("click", () => choose(button.dataset.chart, button.dataset.key));
}
for (const chart of Object.keys(EXAMPLES)) choose(chart, Object.keys(EXAMPLES[chart])[0]);
document.body.dataset.ready = "yes";
