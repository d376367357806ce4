// Makes things quicker; every page works without it.
"use strict";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    for (const open of document.querySelectorAll("details.filter[open]")) {
      open.open = false;
      open.querySelector("summary").focus();
    }
    return;
  }
  const at = event.target;
  if (at.closest("input, textarea, select, [contenteditable]")) return;
  const field = document.querySelector(`[data-focus="${CSS.escape(event.key)}"]`);
  if (field) {
    event.preventDefault();
    field.focus();
    field.select();
  }
});

document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.filter[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

// Choosing rows: all of the page at once, a range with the shift key, and how many there are.
const rows = document.getElementById("rows");
if (rows) {
  const boxes = [...rows.querySelectorAll('[name="selected"]')];
  const all = rows.querySelector("[data-all]");
  const count = rows.querySelector("[data-count]");
  let last = -1;
  const tell = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    if (all) {
      all.checked = chosen > 0 && chosen === boxes.length;
      all.indeterminate = chosen > 0 && chosen < boxes.length;
    }
    if (count) {
      count.dataset.text ??= count.textContent;
      count.textContent = `${count.dataset.text}: ${chosen.toLocaleString(document.documentElement.lang)}`;
    }
  };
  if (all) {
    all.hidden = false;
    all.addEventListener("change", () => {
      for (const box of boxes) box.checked = all.checked;
      tell();
    });
  }
  rows.addEventListener("click", (event) => {
    const index = boxes.indexOf(event.target);
    if (index < 0) return;
    if (event.shiftKey && last >= 0) {
      const [from, to] = [Math.min(last, index), Math.max(last, index)];
      for (const box of boxes.slice(from, to + 1)) box.checked = event.target.checked;
    }
    last = index;
    tell();
  });
  window.addEventListener("pageshow", tell);
  tell();
}

// A field that follows others while one types: a slug made from the title, until somebody writes it by hand.
const slug = (text) =>
  text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replace(/ß/g, "ss").toLowerCase()
    .replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
for (const holder of document.querySelectorAll("[data-prepopulate]")) {
  for (const [name, sources] of Object.entries(JSON.parse(holder.dataset.prepopulate))) {
    const form = holder.closest("form");
    const target = form.elements.namedItem(name);
    const given = sources.map((source) => form.elements.namedItem(source)).filter(Boolean);
    if (!target || target.value) continue;
    let follows = true;
    target.addEventListener("input", () => { follows = target.value === ""; });
    for (const source of given) {
      source.addEventListener("input", () => {
        if (!follows) return;
        const most = target.maxLength > 0 ? target.maxLength : 200;
        target.value = slug(given.map((one) => one.value).join(" ")).slice(0, most);
      });
    }
  }
}

// Leaving a form that was changed asks first; sending it does not.
const form = document.querySelector("form[data-guard]");
if (form) {
  let changed = false;
  form.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", () => { changed = false; });
  window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      form.requestSubmit(form.querySelector('[name="_save"]'));
    }
  });
}
