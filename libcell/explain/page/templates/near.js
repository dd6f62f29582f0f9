// Charts are drawn when they come near the window, all of them before the page is printed: a page
// with many opens as fast as one with few.
const waiting = new Map();
const near = new IntersectionObserver((seen) => {
  for (const entry of seen) if (entry.isIntersecting) drawNow(entry.target);
}, { rootMargin: "800px" });
function drawNow(box) {
  const draw = waiting.get(box);
  waiting.delete(box);
  near.unobserve(box);
  return draw && draw();
}
function whenNear(box, draw) {
  waiting.set(box, draw);
  near.observe(box);
}
addEventListener("beforeprint", () => {
  for (const box of [...waiting.keys()]) drawNow(box);
  for (const part of document.querySelectorAll("details")) part.open = true;
});
