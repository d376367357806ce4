"use strict";
// What needs a script: finding an operation, and sending a request.
for (const form of document.querySelectorAll(".trial form")) {
  form.closest("details").hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const output = form.parentElement.querySelector("output");
    const base = location.pathname.slice(0, location.pathname.length - document.body.dataset.docs.length);
    let path = form.dataset.path;
    const query = new URLSearchParams();
    const headers = {};
    for (const input of form.querySelectorAll("input")) {
      if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
      else if (input.value !== "" && input.dataset.in === "query") query.append(input.name, input.value);
      else if (input.value !== "") headers[input.name] = input.value;
    }
    const area = form.querySelector("textarea");
    const options = { method: form.dataset.method, headers, credentials: "same-origin" };
    if (area !== null) {
      headers["content-type"] = area.dataset.media;
      options.body = area.value;
    }
    const url = base + path + (query.size ? `?${query}` : "");
    const shown = document.createElement("pre");
    output.replaceChildren(shown);
    try {
      const began = performance.now();
      const response = await fetch(url, options);
      let text = await response.text();
      const took = Math.round(performance.now() - began);
      if ((response.headers.get("content-type") || "").includes("json")) {
        try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* shown as it came */ }
      }
      shown.textContent = `${form.dataset.method} ${url}\n${response.status} ${response.statusText}  (${took} ms)\n\n${text}`;
    } catch (error) {
      shown.textContent = String(error);
    }
  });
}
const filter = document.getElementById("filter");
filter.hidden = false;
filter.addEventListener("input", () => {
  const wanted = filter.value.trim().toLowerCase();
  for (const item of document.querySelectorAll("nav li")) item.hidden = !item.textContent.toLowerCase().includes(wanted);
});
