// Draws the charts, and shows the crops behind a cell of a chart when it is chosen.
for (const [name, figure] of Object.entries(CHARTS)) {
  Plotly.newPlot(name, figure.data, figure.layout, {displayModeBar: false, responsive: true});
}
function choose(chart, key) {
  const box = document.getElementById(chart + "-examples");
  const pictures = (EXAMPLES[chart] || {})[key];
  if (!box || !pictures) return;
  box.replaceChildren(...pictures.map((picture) => {
    const figure = document.createElement("figure");
    const image = document.createElement("img");
    image.src = picture.src;
    image.alt = picture.id;
    const caption = document.createElement("figcaption");
    caption.textContent = picture.caption || picture.id;
    figure.append(image, caption);
    return figure;
  }));
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
