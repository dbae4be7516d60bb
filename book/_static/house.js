// A table that scrolls sideways can be reached and scrolled by keyboard.
function reachable() {
  for (const box of document.querySelectorAll(".pst-scrollable-table-container")) {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", "Table, scrolls sideways");
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
}

// Numbers in tables are set to the right, and short values are not broken.
function setValues() {
  for (const cell of document.querySelectorAll("table.dataframe td")) {
    const text = cell.textContent.trim();
    cell.classList.toggle("short", text.length <= 24);
    cell.classList.toggle("number", /^[-+−]?[.\d]+(e[-+]?\d+)?( \[.*\])?$/.test(text));
  }
}

// A formula or a table a little too wide for its place is set smaller; one that is much
// too wide, as on a phone, scrolls within itself.
function fit() {
  const wide = "div.math mjx-container[display], .cell_output table.dataframe";
  for (const element of document.querySelectorAll(wide)) {
    element.style.fontSize = "";
    const box = element.matches("table") ? element.parentElement : element;
    const share = box.clientWidth / box.scrollWidth;
    if (share < 1 && share > 0.7) element.style.fontSize = `${Math.floor(share * 98)}%`;
  }
}

window.addEventListener("load", setValues);
window.addEventListener("load", () => window.MathJax?.startup?.promise.then(fit) ?? fit());
window.addEventListener("resize", fit);
window.addEventListener("load", reachable);
window.addEventListener("resize", reachable);
