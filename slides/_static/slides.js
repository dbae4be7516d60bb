// On a slide a step-through figure begins at its first frame, so that a class can
// predict the next. In print it stays what it is, the last frame. reveal.js leaves
// keys alone while a slider has the focus; what pages (and Escape) gives them back.
document.addEventListener("DOMContentLoaded", () => {
  if (!/print-pdf|view=print/.test(location.search)) {
    for (const slider of document.querySelectorAll(".step-through input")) {
      slider.value = 0;
      slider.dispatchEvent(new Event("input"));
    }
  }
  const back = ["PageDown", "PageUp", "Escape", " ", "Enter"];
  document.addEventListener("keydown", (event) => {
    if (event.target.matches(".step-through input") && back.includes(event.key)) {
      event.target.blur();
      if (event.key === "Escape") event.stopImmediatePropagation();
    }
  }, true);
});
window.addEventListener("load", () => {
  Reveal.on("slidechanged", () => {
    if (document.activeElement?.matches(".step-through input")) {
      document.activeElement.blur();
    }
  });
});
