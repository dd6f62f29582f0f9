// Draws the charts, and shows the crops behind a cell of a chart when it is chosen.
for (const [name, figure] of Object.entries(CHARTS)) {
  Plotly.newPlot(name, figure.data, figure.layout, {displayModeBar: false, responsive: true});
}
function choose(chart, key) {
  const box = document.getElementById(chart + "-examples");
  const ids = (EXAMPLES[chart] || {})[key];
  if (!box || !ids) return;
  box.replaceChildren(...ids.map(picture));
  for (const button of document.querySelectorAll(`button[data-chart="${chart}"]`)) {
    button.setAttribute("aria-pressed", String(button.dataset.key === key));
  }
}
for (const button of document.querySelectorAll("button[data-chart]")) {
  button.addEventListener("click", () => choose(button.dataset.chart, button.dataset.key));
}
for (const chart of Object.keys(EXAMPLES)) {
  document.getElementById(chart).on("plotly_click", (event) => choose(chart, event.points[0].customdata));
  choose(chart, Object.keys(EXAMPLES[chart])[0]);
}
